import type { Clock } from '../utils/clock.js';
import { withTimeout } from '../utils/with-timeout.js';
import { toInstanceReport, type InstanceReport } from '../core/instance-report.js';
import { toStorageError } from '../errors/maintenance-storage.error.js';
import type { StateStorage } from '../storage/state-storage.js';
import { assertSupportsReports } from './assert-supports-reports.js';
import { getMachineId, isProcessGone } from './process-lookup.js';

/** The time after which listing the reports counts as failed, in milliseconds. */
const REPORTS_TIMEOUT_MS = 10_000;

/**
 * Reads the reports of all instances, including those that were shut down. Skips the reports of processes that are
 * gone, and values that are not reports, which a custom storage may return.
 *
 * @param timeoutMs - for the storage, in milliseconds
 * @throws {@link MaintenanceStorageError} if the storage fails, or does not support reports
 */
export async function readReports(
  storage: StateStorage,
  clock: Clock,
  timeoutMs = REPORTS_TIMEOUT_MS,
): Promise<InstanceReport[]> {
  assertSupportsReports(storage);
  try {
    const found = await withTimeout(() => storage.reports(), clock, timeoutMs);
    const here = getMachineId();
    return found.flatMap((value) => toInstanceReport(value) ?? []).filter((report) => !isProcessGone(report, here));
  } catch (error) {
    throw toStorageError(error, storage.location);
  }
}

/**
 * Reads the reports of the running instances, sorted by host and process.
 *
 * @param timeoutMs - for the storage, in milliseconds
 * @throws {@link MaintenanceStorageError} if the storage fails, or does not support reports
 */
export async function readLiveInstances(
  storage: StateStorage,
  clock: Clock,
  timeoutMs = REPORTS_TIMEOUT_MS,
): Promise<InstanceReport[]> {
  return (await readReports(storage, clock, timeoutMs))
    .filter(({ stopped }) => stopped !== true)
    .sort(compareInstances);
}

/** Compares two reports by host, process and id, for sorting. */
export function compareInstances(a: InstanceReport, b: InstanceReport): number {
  return a.host.localeCompare(b.host) || a.pid - b.pid || a.id.localeCompare(b.id);
}
