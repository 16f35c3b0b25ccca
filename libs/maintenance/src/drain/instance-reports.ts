import type { Clock } from '../utils/clock.js';
import { withTimeout } from '../utils/with-timeout.js';
import { toInstanceReport, type InstanceReport } from '../core/instance-report.js';
import { toStorageError } from '../errors/maintenance-storage.error.js';
import type { StateStorage } from '../storage/state-storage.js';
import { assertKeepsReports } from '../errors/maintenance-inactive.error.js';
import { getMachineId, isProcessGone } from './process-lookup.js';

/** A storage that takes longer to list the reports counts as failed, in milliseconds. */
const REPORTS_TIMEOUT_MS = 10_000;

/**
 * The reports of all instances, those that have ended in good order included. Left out are those of processes that are seen to be
 * gone, and what is no report: a storage of an application's own may give anything.
 *
 * @throws {@link MaintenanceStorageError} if the storage fails, or keeps no reports
 */
export async function readReports(
  storage: StateStorage,
  clock: Clock,
  patience = REPORTS_TIMEOUT_MS,
): Promise<InstanceReport[]> {
  assertKeepsReports(storage);
  try {
    const found = await withTimeout(() => storage.reports(), clock, patience);
    const here = getMachineId();
    return found.flatMap((value) => toInstanceReport(value) ?? []).filter((report) => !isProcessGone(report, here));
  } catch (error) {
    throw toStorageError(error, storage.location);
  }
}

/**
 * The reports of the instances that live, sorted by host and process.
 *
 * @throws {@link MaintenanceStorageError} if the storage fails, or keeps no reports
 */
export async function readLiveInstances(
  storage: StateStorage,
  clock: Clock,
  patience = REPORTS_TIMEOUT_MS,
): Promise<InstanceReport[]> {
  return (await readReports(storage, clock, patience)).filter(({ stopped }) => stopped !== true).sort(compareInstances);
}

export function compareInstances(a: InstanceReport, b: InstanceReport): number {
  return a.host.localeCompare(b.host) || a.pid - b.pid || a.id.localeCompare(b.id);
}
