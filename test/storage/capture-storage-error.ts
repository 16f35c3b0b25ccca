import type { MaintenanceStorageError } from '../../libs/maintenance/src/errors/maintenance-storage.error.js';

/** Returns the error with which a storage call rejects; fails the test if the call resolves. */
export async function captureStorageError(work: Promise<unknown>): Promise<MaintenanceStorageError> {
  const error: unknown = await work.then(
    (value) => Promise.reject(new Error(`Expected the call to reject, but it resolved with ${JSON.stringify(value)}`)),
    (reason: unknown) => reason,
  );
  expect(error).toMatchObject({ name: 'MaintenanceStorageError' });
  return error as MaintenanceStorageError;
}
