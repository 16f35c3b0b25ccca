import type { MaintenanceStorageError } from '../../libs/maintenance/src/errors/maintenance-storage.error.js';

/** The error with which a call of a storage fails; that it does not is a failure of the test. */
export async function failureOf(work: Promise<unknown>): Promise<MaintenanceStorageError> {
  const error: unknown = await work.then(
    (value) => Promise.reject(new Error(`it succeeded with ${JSON.stringify(value)}`)),
    (reason: unknown) => reason,
  );
  expect(error).toMatchObject({ name: 'MaintenanceStorageError' });
  return error as MaintenanceStorageError;
}
