import { MaintenanceStorageError } from './maintenance-storage.error.js';
import type { StateStorage } from '../storage/state-storage.js';

/** There is nothing to wait for, or not any more: maintenance is off. */
export class MaintenanceInactiveError extends Error {
  override readonly name = 'NothingDrainsError';
}

type ReportingStorage = StateStorage & Required<Pick<StateStorage, 'report' | 'reports'>>;

/** @throws {@link MaintenanceStorageError} for a storage that keeps no reports of instances */
export function assertKeepsReports(storage: StateStorage): asserts storage is ReportingStorage {
  if (storage.report && storage.reports) return;
  throw new MaintenanceStorageError(
    'unavailable',
    `${storage.kind} ${storage.location} keeps no reports of instances, so nobody can tell which there are and what they work on. ` +
      'Give the storage `report` and `reports`, or use a file, Redis or S3.',
  );
}
