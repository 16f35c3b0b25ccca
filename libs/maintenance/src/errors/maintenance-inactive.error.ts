import { MaintenanceStorageError } from './maintenance-storage.error.js';

/** Thrown by a wait for a drain when maintenance is off, or ends meanwhile. */
export class MaintenanceInactiveError extends Error {
  override readonly name = 'NothingDrainsError';
}

/** The part of a storage that tells whether it keeps reports. */
interface ReportingStorage {
  readonly kind: string;
  readonly location: string;
  report?: unknown;
  reports?: unknown;
}

/**
 * Asserts that a storage keeps the reports of instances.
 *
 * @throws {@link MaintenanceStorageError} for a storage that does not
 */
export function assertKeepsReports<Storage extends ReportingStorage>(
  storage: Storage,
): asserts storage is Storage & Required<Pick<Storage, 'report' | 'reports'>> {
  if (storage.report && storage.reports) return;
  throw new MaintenanceStorageError(
    'unavailable',
    `${storage.kind} ${storage.location} keeps no reports of instances, so their in-flight requests are unknown. ` +
      'Add `report` and `reports` to the storage, or use a file, Redis or S3.',
  );
}
