import { MaintenanceStorageError } from '../errors/maintenance-storage.error.js';
import { MAX_STATE_BYTES } from './state-storage.js';

/**
 * Creates the error for content that is not a state.
 *
 * @param reason - what is wrong with the content
 * @param isForeign - whether the content never was a state: then it is not replaced without `--force`
 */
export function createCorruptError(
  reason: string,
  version: string,
  location: string,
  { cause, isForeign = false }: { cause?: unknown; isForeign?: boolean } = {},
): MaintenanceStorageError {
  const remedy = isForeign
    ? 'Check that this is the right place, and correct it; or replace the content with `on --force` or `off --force`.'
    : '`on` or `off` replaces it.';
  const message = `${location} does not contain a valid maintenance state: ${reason}. ${remedy}`;
  return new MaintenanceStorageError('corrupt', message, { version, cause, isForeign });
}

/** Creates the error for content that is too large to be a state, and therefore never was one. */
export function createOversizedContentError(version: string, location: string): MaintenanceStorageError {
  return createCorruptError(`it is larger than ${MAX_STATE_BYTES} bytes`, version, location, { isForeign: true });
}

/** Creates the error for a state that is too large to be written. */
export function createOversizedStateError(size: number, location: string): MaintenanceStorageError {
  return new MaintenanceStorageError(
    'unavailable',
    `${location} was not written: the state has ${size} bytes, the limit is ${MAX_STATE_BYTES}. ` +
      'End windows that are no longer needed.',
  );
}

/**
 * Creates the error for a write whose expected version is no longer stored.
 *
 * @param reason - what is stored instead
 */
export function createConflictError(location: string, reason: string, cause?: unknown): MaintenanceStorageError {
  const message = `${location} was not written: ${reason}. Re-read the state and retry.`;
  return new MaintenanceStorageError('conflict', message, { cause });
}

/** Describes why the expected version is no longer stored. */
export function describeConflict(isGone: boolean): string {
  return isGone ? 'the state has been deleted' : 'another writer has changed it';
}
