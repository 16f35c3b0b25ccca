import { assertState, StateFormatError } from '../core/state-format.js';
import type { StateStorage, VersionedState } from './state-storage.js';
import { createCorruptError } from './storage-errors.js';

/** Reads a storage and validates the result: a custom storage may return anything. */
export class StateReader {
  // A storage may return the same object for the same content, which need not be validated again.
  readonly #validated = new WeakSet<object>();

  /** @param storage - the storage to read */
  constructor(private readonly storage: Pick<StateStorage, 'read' | 'location'>) {}

  /**
   * Reads the state.
   *
   * @returns `null` if nothing is stored
   * @throws {@link MaintenanceStorageError} `corrupt` for content that is not a state, or any error of the storage
   */
  async read(): Promise<VersionedState | null> {
    const found = (await this.storage.read()) ?? null;
    if (found === null || (typeof found.state === 'object' && this.#validated.has(found.state))) return found;
    try {
      assertState(found.state);
    } catch (error) {
      if (!(error instanceof StateFormatError)) throw error;
      throw createCorruptError(error.message, found.version, this.storage.location, { cause: error });
    }
    this.#validated.add(found.state);
    return found;
  }
}
