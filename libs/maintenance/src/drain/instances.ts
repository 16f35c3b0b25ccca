import type { Clock } from '../utils/clock.js';
import { inTime } from '../utils/in-time.js';
import { toInstanceReport, type InstanceReport } from '../core/instance-report.js';
import { toStorageError } from '../errors/maintenance-storage.error.js';
import type { StateStorage } from '../storage/state-storage.js';
import { assertReports } from './errors.js';
import { findMachine, isGone } from './process-lookup.js';

/** A storage that takes longer to list the reports counts as failed, in milliseconds. */
const PATIENCE = 10_000;

/**
 * The reports of all instances, those that have ended in good order included. Left out are those of processes that are seen to be
 * gone, and what is no report: a storage of an application's own may give anything.
 *
 * @throws {@link MaintenanceStorageError} if the storage fails, or keeps no reports
 */
export async function allReports(storage: StateStorage, clock: Clock, patience = PATIENCE): Promise<InstanceReport[]> {
  assertReports(storage);
  try {
    const found = await inTime(() => storage.reports(), clock, patience);
    const here = findMachine();
    return found.flatMap((value) => toInstanceReport(value) ?? []).filter((report) => !isGone(report, here));
  } catch (error) {
    throw toStorageError(error, storage.location);
  }
}

/**
 * The reports of the instances that live, sorted by host and process.
 *
 * @throws {@link MaintenanceStorageError} if the storage fails, or keeps no reports
 */
export async function livingInstances(
  storage: StateStorage,
  clock: Clock,
  patience = PATIENCE,
): Promise<InstanceReport[]> {
  return (await allReports(storage, clock, patience)).filter(({ stopped }) => stopped !== true).sort(byPlace);
}

export function byPlace(a: InstanceReport, b: InstanceReport): number {
  return a.host.localeCompare(b.host) || a.pid - b.pid || a.id.localeCompare(b.id);
}
