import { setTimeout as pause } from 'node:timers/promises';
import type { Clock } from '../utils/clock.js';
import type { InstanceReport } from '../core/instance-report.js';
import type { MaintenanceState } from '../core/maintenance-state.js';
import type { StateStorage } from '../storage/state-storage.js';
import { findDisagreements, type Disagreement } from './agreement.js';
import { readLiveInstances } from './instance-reports.js';

/** How often the reports are read: where instances are notified of a change, and where they find it by polling. */
const NOTIFIED_INTERVAL_MS = 50;
const POLLED_INTERVAL_MS = 500;
/** A storage that takes longer to list the reports than this is not worth the operator's time. */
const READ_TIMEOUT_MS = 3_000;

/** The states that the instances have been seen to apply. */
export interface Agreement {
  instances: InstanceReport[];
  /** Those that do not apply what is stored. */
  disagreements: Disagreement[];
}

/**
 * Compares the instances that report on `storage` with the stored state.
 *
 * @returns `undefined` where that can't be found out: the storage keeps no reports, or fails to list them
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
 * Waits until every instance that reports applies `state`, or says that its configuration answers for everything.
 *
 * @param timeout - milliseconds
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

// One whose storage fails may come round: what was lost, for example, is there again.
function isPermanentDisagreement({ reason, instance }: Disagreement): boolean {
  return reason === 'forced' && instance.storageError === undefined;
}
