import type { InstanceReport } from '../../libs/maintenance/src/core/instance-report.js';
import type { MaintenanceState } from '../../libs/maintenance/src/core/maintenance-state.js';
import { StateMonitor, type StorageFailurePolicy } from '../../libs/maintenance/src/core/state-monitor.js';
import type { StateStorage } from '../../libs/maintenance/src/storage/state-storage.js';
import { StateWriter } from '../../libs/maintenance/src/storage/state-writer.js';
import { SystemClock } from '../../libs/maintenance/src/utils/clock.js';
import { until } from '../tools/waiting.js';

export function createState(revision: number, lineage = 'spec'): MaintenanceState {
  return { format: 1, lineage, revision, windows: [], history: [] };
}

export function createReport(id: string): InstanceReport {
  const seenAt = new Date().toISOString();
  return { id, host: 'h', pid: 1, lineage: null, revision: 0, inFlight: 0, streams: 0, seenAt };
}

/** Keys that differ only for those who take each character as it is. */
export const UNUSUAL_KEYS = [
  ...["it's", '"quoted"', 'a\\b', "a\\'; DROP TABLE maintenance_state; --", '$1', '${x}', '*', 'a&b=c%d#e+f?g'],
  ...['Shop', 'shop', ' shop', '\u00e9', 'e\u0301', 'a\nb', '\u{1f511}'.repeat(100), 'a'.repeat(200)],
];

/** Turns maintenance on or off, as the command line does. */
export async function turn(storage: StateStorage, where: 'on' | 'off'): Promise<void> {
  const now = new Date().toISOString();
  const window = { id: 'a', scope: '*', mode: 'full' as const, startsAt: now, endsAt: null, createdAt: now };
  await new StateWriter(storage, new SystemClock()).change(
    () => ({ action: where, windows: where === 'on' ? [window] : [], affected: [window] }),
    { via: 'cli' },
  );
}

const POLICIES = ['last-known', 'on', 'off'] as const;

/** Monitors as in three applications, one for each `onStorageFailure`. */
export class Monitors {
  readonly #monitors: Map<StorageFailurePolicy, StateMonitor>;

  private constructor(createStorage: () => StateStorage, refreshInterval: number, graceMs?: number) {
    this.#monitors = new Map(
      POLICIES.map((onStorageFailure) => {
        const source = createStorage();
        const settings = { source, clock: new SystemClock(), refreshInterval, onStorageFailure };
        return [onStorageFailure, new StateMonitor({ ...settings, staleReadGracePeriodMs: graceMs })];
      }),
    );
  }

  static async start(createStorage: () => StateStorage, refreshInterval = 50, graceMs?: number): Promise<Monitors> {
    const monitors = new Monitors(createStorage, refreshInterval, graceMs);
    await Promise.all([...monitors.#monitors.values()].map((monitor) => monitor.start()));
    return monitors;
  }

  /** Waits until each application answers as expected: whether maintenance is on, by its `onStorageFailure`. */
  async waitFor(expected: Record<StorageFailurePolicy, boolean>): Promise<void> {
    await until(`the answers are ${JSON.stringify(expected)}`, () =>
      POLICIES.every((policy) => isOn(this.#monitors.get(policy)!) === expected[policy]),
    );
  }

  /** Waits until the storage works for each application, or fails with this error. */
  async waitForHealth(error: RegExp | null): Promise<void> {
    await until(`the storage ${error ? `fails with ${error.source}` : 'works'}`, () =>
      [...this.#monitors.values()].every(({ health }) => (error ? error.test(health.error ?? '') : health.healthy)),
    );
  }

  async stop(): Promise<void> {
    await Promise.all([...this.#monitors.values()].map((monitor) => monitor.stop()));
  }
}

function isOn(monitor: StateMonitor): boolean {
  const { forced, active } = monitor.getSnapshot();
  return forced ?? active.length > 0;
}

export const ALL_ON = { 'last-known': true, on: true, off: true };
export const ALL_OFF = { 'last-known': false, on: false, off: false };
/** The storage fails while maintenance is on, or while it is off. */
export const FAILING_WHILE_ON = { 'last-known': true, on: true, off: false };
export const FAILING_WHILE_OFF = { 'last-known': false, on: true, off: false };
