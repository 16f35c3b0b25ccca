import type { MaintenanceState } from '../core/maintenance-state.js';
import { MaintenanceStorageError } from '../errors/maintenance-storage.error.js';
import { descendsFrom } from './descends-from.js';
import type { VersionedState } from './state-storage.js';
import { createConflictError, describeConflict } from './storage-errors.js';

/** A write without an answer. */
export interface UncertainWrite {
  next: MaintenanceState;
  ifVersion: string | null;
  /** The version of `next`. */
  version: string;
  location: string;
  /** The error that the caller of the storage would get. */
  failure: MaintenanceStorageError;
}

/**
 * Reads the state after a write without an answer, and returns if the write has taken effect.
 *
 * @param read - reads the storage
 * @throws {@link MaintenanceStorageError} `conflict` if another writer was first, `unavailable` if that is unknown
 */
export async function resolveUncertainWrite(
  { next, ifVersion, version, location, failure }: UncertainWrite,
  read: () => Promise<VersionedState | null>,
): Promise<void> {
  const createUncertainError = (note: string): MaintenanceStorageError =>
    new MaintenanceStorageError('unavailable', `${failure.message} ${note} Check the status before you try again.`, {
      cause: failure.cause,
    });
  const found = await read().catch(() => {
    throw createUncertainError('The write may have taken effect.');
  });
  if (found?.version === version || (found && descendsFrom(found.state, next))) return;
  // No other writer was first. The statement may still be on its way.
  if ((found?.version ?? null) === ifVersion) {
    throw createUncertainError('The write has not taken effect, but still may.');
  }
  throw createConflictError(location, describeConflict(found === null));
}
