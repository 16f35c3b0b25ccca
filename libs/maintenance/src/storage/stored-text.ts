import { parseState, StateFormatError } from '../state/state-format.js';
import { MaintenanceStorageError } from './maintenance-storage-error.js';
import type { VersionedState } from './state-storage.js';

/**
 * The state in a text that a storage holds: JSON, or just `1` (on) or `0` (off). For storages of one's own.
 *
 * @param text - what is there
 * @param version - of that text, opaque
 * @param location - of the storage, for people
 * @throws {@link MaintenanceStorageError} `corrupt` for anything else, with the version, so that it can be overwritten
 *
 * @example
 * ```ts
 * async read(): Promise<VersionedState | null> {
 *   const row = await this.table.find(1);
 *   return row && parseStoredState(row.text, row.version, this.location);
 * }
 * ```
 */
export function parseStoredState(text: string, version: string, location: string): VersionedState {
  try {
    return { state: parseState(text), version };
  } catch (error) {
    throw error instanceof StateFormatError ? corruptContent(error.message, version, location, error) : error;
  }
}

/** Something is there, but it is no state. */
export function corruptContent(
  reason: string,
  version: string,
  location: string,
  cause?: unknown,
): MaintenanceStorageError {
  const message = `${location} holds no maintenance state: ${reason}. \`on\` or \`off\` replaces it.`;
  return new MaintenanceStorageError('corrupt', message, { version, cause });
}
