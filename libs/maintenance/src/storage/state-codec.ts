import type { MaintenanceState } from '../core/maintenance-state.js';
import { parseState, serializeState, StateFormatError } from '../core/state-format.js';
import { MAX_STATE_BYTES, type VersionedState } from './state-storage.js';
import { createCorruptError, createOversizedStateError } from './storage-errors.js';

/**
 * Parses the text that a storage keeps: a state as JSON, or just `1` (on) or `0` (off). For custom storages.
 *
 * @param text - the stored text
 * @param version - the opaque version of that text
 * @param location - of the storage, for the error
 * @throws {@link MaintenanceStorageError} `corrupt` for any other text, with the version, so that it can be replaced
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
  return parseText(text, version, location, () => false);
}

/**
 * Parses as {@link parseStoredState} does, for a location that comes from a URL, which may be mistyped: content that
 * never was a state is not replaced without `--force`.
 */
export function parseStateAtUrl(text: string, version: string, location: string): VersionedState {
  return parseText(text, version, location, (error) => error.isForeign);
}

/**
 * Serializes a state for a storage.
 *
 * @param location - of the storage, for the error
 * @throws {@link MaintenanceStorageError} `unavailable` if the state is larger than {@link MAX_STATE_BYTES}
 */
export function serializeStoredState(state: MaintenanceState, location: string): Buffer {
  const bytes = Buffer.from(serializeState(state));
  if (bytes.length > MAX_STATE_BYTES) throw createOversizedStateError(bytes.length, location);
  return bytes;
}

function parseText(
  text: string,
  version: string,
  location: string,
  isForeign: (error: StateFormatError) => boolean,
): VersionedState {
  try {
    return { state: parseState(text), version };
  } catch (error) {
    if (!(error instanceof StateFormatError)) throw error;
    throw createCorruptError(error.message, version, location, { cause: error, isForeign: isForeign(error) });
  }
}
