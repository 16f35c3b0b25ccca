import { MaintenanceStorageError } from '../errors/maintenance-storage.error.js';
import type { StateStorage } from '../storage/state-storage.js';

type ReportingStorage = StateStorage & Required<Pick<StateStorage, 'report' | 'reports'>>;

/**
 * Asserts that a storage keeps instance reports, which are optional for a custom storage.
 *
 * @throws {@link MaintenanceStorageError} unless the storage has `report` and `reports`
 */
export function assertSupportsReports(storage: StateStorage): asserts storage is ReportingStorage {
  if (storage.report && storage.reports) return;
  throw new MaintenanceStorageError(
    'unavailable',
    `${storage.kind} ${storage.location} does not support instance reports, so in-flight work cannot be tracked. ` +
      'Implement `report` and `reports` in the storage, or use a storage of this package.',
  );
}
