import { parseState, StateFormatError } from '../core/state-format.js';
import { MaintenanceStorageError } from '../errors/maintenance-storage.error.js';
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
  return parseText(text, version, location, () => false);
}

/**
 * As {@link parseStoredState}, for a place that a mistyped URL may name: what never was a state is not replaced there
 * without `--force`.
 */
export function parseStateAtUrl(text: string, version: string, location: string): VersionedState {
  return parseText(text, version, location, (error) => error.isForeign);
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

/** Something is there, but it is no state. What by its looks never was one (`isForeign`) is not replaced without `--force`. */
export function createCorruptError(
  reason: string,
  version: string,
  location: string,
  { cause, isForeign = false }: { cause?: unknown; isForeign?: boolean } = {},
): MaintenanceStorageError {
  const remedy = isForeign
    ? 'Is that the right place? Correct it; or replace what is there with `on --force` or `off --force`.'
    : '`on` or `off` replaces it.';
  const message = `${location} holds no maintenance state: ${reason}. ${remedy}`;
  return new MaintenanceStorageError('corrupt', message, { version, cause, isForeign });
}

/** What is larger than the limit never was a state. */
export function createTooLargeError(limit: number, version: string, location: string): MaintenanceStorageError {
  return createCorruptError(`it is larger than ${limit} bytes`, version, location, { isForeign: true });
}
