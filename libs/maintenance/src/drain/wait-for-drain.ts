import type { Clock } from '../utils/clock.js';
import { withTimeout } from '../utils/with-timeout.js';
import type { InstanceReport } from '../core/instance-report.js';
import type { MaintenanceState } from '../core/maintenance-state.js';
import type { StoredWindow } from '../core/maintenance-window.js';
import { WindowSchedule } from '../core/window-schedule.js';
import { unwrapCache } from '../storage/cache/cached-state-storage.js';
import { toStorageError } from '../errors/maintenance-storage.error.js';
import { StateReader } from '../storage/state-reader.js';
import type { StateStorage } from '../storage/state-storage.js';
import { getTargetRevision, isBehind } from './agreement.js';
import type { DrainReport, PendingInstance, PendingReason } from './drain-report.js';
import { assertKeepsReports, MaintenanceInactiveError } from '../errors/maintenance-inactive.error.js';
import { readReports, compareInstances } from './instance-reports.js';
import { getMachineId, isProcessGone } from './process-lookup.js';

/** How often the reports are looked at, in milliseconds: where changes are told at once, and where they are found by polling. */
const POLL_INTERVAL_WITH_WATCH_MS = 200;
const POLL_INTERVAL_MS = 1_000;
/** What a call of the storage may take, in milliseconds. */
const STORAGE_CALL_TIMEOUT_MS = 10_000;
const MIN_STORAGE_CALL_TIMEOUT_MS = 1_000;
/** How long the storage may fail meanwhile, in milliseconds. */
const MAX_STORAGE_OUTAGE_MS = 30_000;

export interface DrainOptions {
  storage: StateStorage;
  clock: Clock;
  /** Milliseconds. */
  timeout: number;
  /** The application's own configuration keeps it closed, whatever is stored. */
  isForcedOn?: boolean;
  /** Told of each look at the reports. */
  onProgress?: (report: DrainReport) => void;
}

interface DrainTarget {
  lineage: string | null;
  revision: number;
  windows: readonly StoredWindow[];
}

interface KnownInstance {
  report: InstanceReport;
  /** When its last report was found, by this process's clock. */
  lastSeenAt: number;
}

/**
 * Waits until every instance that lives goes by the stored state and has nothing in flight that it admitted before. An instance that
 * was there and falls silent is waited for: a dead one and one that is cut off, and goes on serving, look the same from another machine.
 * One whose process is seen to be gone on this machine is not.
 *
 * @returns also when the time is over, and as soon as only work that can't be counted is left: see `drained`
 * @throws TypeError for a `timeout` that is not a number of milliseconds
 * @throws {@link NothingDrainsError} if nothing is on, or no more
 * @throws {@link MaintenanceStorageError} if the storage fails for 30 s, or keeps no reports
 */
export async function waitForDrain(parts: DrainOptions): Promise<DrainReport> {
  const { timeout } = parts;
  if (typeof timeout !== 'number' || !(timeout >= 0)) {
    throw new TypeError(`\`timeout\` must be a number of milliseconds, 0 or more, not ${String(timeout)}.`);
  }
  return new Drain(parts).run();
}

class Drain {
  readonly #reader: StateReader;
  readonly #known = new Map<string, KnownInstance>();
  readonly #startedAt = performance.now();

  constructor(private readonly options: DrainOptions) {
    assertKeepsReports(options.storage);
    this.#reader = new StateReader(unwrapCache(options.storage));
  }

  async run(): Promise<DrainReport> {
    let failingSince: number | null = null;
    for (;;) {
      try {
        const report = await this.#poll();
        failingSince = null;
        this.options.onProgress?.(report);
        if (report.drained || isStuck(report) || report.elapsed >= this.options.timeout) return report;
      } catch (error) {
        if (error instanceof MaintenanceInactiveError) throw error;
        failingSince ??= performance.now();
        const isOver = performance.now() - this.#startedAt >= this.options.timeout;
        if (isOver || performance.now() - failingSince > MAX_STORAGE_OUTAGE_MS) {
          throw toStorageError(error, this.options.storage.location);
        }
      }
      await this.#pause();
    }
  }

  async #poll(): Promise<DrainReport> {
    const { storage, clock } = this.options;
    const target = await this.#readTarget();
    const found = await readReports(storage, clock, this.#callTimeoutMs);
    const now = performance.now();
    for (const report of found) this.#recordReport(report, now);
    this.#removeDeadInstances();
    const all = [...this.#known.values()];
    const pending = all.flatMap((known): PendingInstance[] => {
      const reason = getPendingReason(known.report, target);
      return reason ? [{ instance: known.report, reason, silentFor: now - known.lastSeenAt }] : [];
    });
    return {
      // Nobody at all has said that nothing is in flight: it may be another storage than that of the application.
      drained: pending.length === 0 && all.length > 0,
      revision: target.revision,
      elapsed: performance.now() - this.#startedAt,
      instances: all.map(({ report }) => report).sort(compareInstances),
      pending: pending.sort((a, b) => compareInstances(a.instance, b.instance)),
    };
  }

  #recordReport(report: InstanceReport, now: number): void {
    const last = this.#known.get(report.id);
    if (last?.report.seenAt === report.seenAt) return;
    // One that has ended has nobody left who could say that what it had under way is done.
    if (report.stopped && report.inFlight === 0) this.#known.delete(report.id);
    else
      this.#known.set(report.id, { report, lastSeenAt: last ? now : now - getReportAge(report, this.options.clock) });
  }

  // A process of this machine that has ended since serves nothing any more. Of others only their silence is known.
  #removeDeadInstances(): void {
    const here = getMachineId();
    for (const [id, { report }] of this.#known) if (isProcessGone(report, here)) this.#known.delete(id);
  }

  async #readTarget(): Promise<DrainTarget> {
    const found = await withTimeout(() => this.#reader.read(), this.options.clock, this.#callTimeoutMs);
    const state: MaintenanceState | null = found?.state ?? null;
    const windows = new WindowSchedule(state?.windows ?? []).getActiveAt(this.options.clock.now());
    if (windows.length === 0 && !this.options.isForcedOn) throw new MaintenanceInactiveError(describeInactive(state));
    return { lineage: state?.lineage ?? null, revision: getTargetRevision(state), windows };
  }

  get #remainingMs(): number {
    return this.options.timeout - (performance.now() - this.#startedAt);
  }

  /** What a call may take, in milliseconds: not much more than there is left. */
  get #callTimeoutMs(): number {
    return Math.max(MIN_STORAGE_CALL_TIMEOUT_MS, Math.min(STORAGE_CALL_TIMEOUT_MS, this.#remainingMs));
  }

  #pause(): Promise<void> {
    const { storage } = this.options;
    const left = this.#remainingMs;
    return new Promise((resolve) => {
      // Not the clock's timers, which keep no process alive: this is what the process is there for.
      setTimeout(resolve, Math.max(0, Math.min(storage.watch ? POLL_INTERVAL_WITH_WATCH_MS : POLL_INTERVAL_MS, left)));
    });
  }
}

function getPendingReason(report: InstanceReport, target: DrainTarget): PendingReason | null {
  if (report.stopped) return 'in-flight';
  const { windows } = target;
  const sees = (window: StoredWindow): boolean =>
    report.windows?.some(({ id, startsAt }) => id === window.id && startsAt === window.startsAt) ?? true;
  if (report.forced === false) return 'forced-off';
  // Without a window only those refuse whom their configuration keeps closed.
  const refuses = !isBehind(report, target) && windows.length > 0 && windows.every(sees);
  if (report.forced !== true && !refuses) return 'behind';
  if (report.inFlight > 0) return 'in-flight';
  return report.uncounted && report.uncounted.length > 0 ? 'uncounted' : null;
}

/** Whether nothing is left to wait for but work that no instance can count. */
function isStuck({ pending }: DrainReport): boolean {
  return pending.length > 0 && pending.every(({ reason }) => reason === 'uncounted');
}

function describeInactive(state: MaintenanceState | null): string {
  const last = state?.history.find(({ action }) => action === 'off');
  const who = last ? ` It was turned off by ${last.by ?? 'somebody'} at ${last.at}.` : '';
  return `Maintenance is off, so nothing drains.${who} Requests are admitted.`;
}

// The clocks of two machines may differ; that it was in the future is certainly wrong.
function getReportAge({ seenAt }: InstanceReport, clock: Clock): number {
  return Math.max(0, clock.now() - Date.parse(seenAt));
}
