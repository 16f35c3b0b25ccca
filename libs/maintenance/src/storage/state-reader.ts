import { assertState, StateFormatError } from '../core/state-format.js';
import { createCorruptError } from './parse-stored-state.js';
import type { StateStorage, VersionedState } from './state-storage.js';

/** Reads a storage and checks what it gives: one that an application wrote itself may have parsed anything. */
export class StateReader {
  // A storage may give the same object for the same content; once is enough then.
  readonly #checked = new WeakSet<object>();

  constructor(private readonly storage: Pick<StateStorage, 'read' | 'location'>) {}

  /** @throws {@link MaintenanceStorageError} `corrupt` for what is not a state, else what the storage throws */
  async read(): Promise<VersionedState | null> {
    const found = (await this.storage.read()) ?? null;
    if (found === null || (typeof found.state === 'object' && this.#checked.has(found.state))) return found;
    try {
      assertState(found.state);
    } catch (error) {
      if (!(error instanceof StateFormatError)) throw error;
      throw createCorruptError(error.message, found.version, this.storage.location, { cause: error });
    }
    this.#checked.add(found.state);
    return found;
  }
}
