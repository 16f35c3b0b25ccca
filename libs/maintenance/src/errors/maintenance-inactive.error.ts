import { MaintenanceStorageError } from './maintenance-storage.error.js';
import type { StateStorage } from '../storage/state-storage.js';

/** Thrown by a wait for a drain when maintenance is off, or ends meanwhile. */
export class MaintenanceInactiveError extends Error {
  override readonly name = 'NothingDrainsError';
}

type ReportingStorage = StateStorage & Required<Pick<StateStorage, 'report' | 'reports'>>;

/**
 * Asserts that a storage keeps the reports of instances.
 *
 * @throws {@link MaintenanceStorageError} for a storage that does not
 */
export function assertKeepsReports(storage: StateStorage): asserts storage is ReportingStorage {
  if (storage.report && storage.reports) return;
  throw new MaintenanceStorageError(
    'unavailable',
    `${storage.kind} ${storage.location} keeps no reports of instances, so their in-flight requests are unknown. ` +
      'Add `report` and `reports` to the storage, or use a file, Redis or S3.',
  );
}
