import { setTimeout as pause } from 'node:timers/promises';
import type { Clock } from '../utils/clock.js';
import type { InstanceReport } from '../core/instance-report.js';
import type { MaintenanceState } from '../core/maintenance-state.js';
import type { StateStorage } from '../storage/state-storage.js';
import { findDisagreements, type Disagreement } from './agreement.js';
import { readLiveInstances } from './instance-reports.js';

/**
 * The pause between two reads where the storage notifies instances of changes, and where they poll, in milliseconds.
 */
const NOTIFIED_INTERVAL_MS = 50;
const POLLED_INTERVAL_MS = 500;
/** The time after which the commands continue without the reports, in milliseconds: an operator is waiting. */
const READ_TIMEOUT_MS = 3_000;

/** The reports of the running instances, compared with the stored state. */
export interface Agreement {
  instances: InstanceReport[];
  /** The instances that do not apply the stored state. */
  disagreements: Disagreement[];
}

/**
 * Compares the instances that report to `storage` with the stored state.
 *
 * @returns `undefined` if the storage does not support reports, or fails to list them
 */
export async function readAgreement(
  storage: StateStorage,
  state: MaintenanceState | null,
  clock: Clock,
): Promise<Agreement | undefined> {
  if (!storage.reports) return undefined;
  try {
    const instances = await readLiveInstances(storage, clock, READ_TIMEOUT_MS);
    return { instances, disagreements: findDisagreements(state, instances, clock.now()) };
  } catch {
    return undefined;
  }
}

/**
 * Waits until every instance that reports applies `state`, or reports that the option `enabled` decides for it.
 *
 * @param timeout - in milliseconds
 * @returns the last comparison, also after the timeout; see {@link readAgreement}
 */
export async function waitForAgreement(
  storage: StateStorage,
  state: MaintenanceState | null,
  timeout: number,
  clock: Clock,
): Promise<Agreement | undefined> {
  const deadline = performance.now() + timeout;
  for (;;) {
    const agreement = await readAgreement(storage, state, clock);
    const isSettled = !agreement || agreement.disagreements.every(isPermanentDisagreement);
    const left = deadline - performance.now();
    if (isSettled || left <= 0) return agreement;
    await pause(Math.min(left, storage.watch ? NOTIFIED_INTERVAL_MS : POLLED_INTERVAL_MS));
  }
}

// An instance whose storage fails may recover, for example after a lost state was written again.
function isPermanentDisagreement({ reason, instance }: Disagreement): boolean {
  return reason === 'forced' && instance.storageError === undefined;
}
