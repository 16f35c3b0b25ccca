import type { Clock } from '../utils/clock.js';
import { rejectOnAbort } from '../utils/reject-on-abort.js';
import { withTimeout } from '../utils/with-timeout.js';
import type { MaintenanceState } from '../core/maintenance-state.js';
import { WindowSchedule } from '../core/window-schedule.js';
import { unwrapCache } from '../storage/cache/cached-state-storage.js';
import { toStorageError } from '../errors/maintenance-storage.error.js';
import { StateReader } from '../storage/state-reader.js';
import type { StateStorage } from '../storage/state-storage.js';
import { getTargetRevision } from './agreement.js';
import { DrainProgress, type DrainTarget } from './drain-progress.js';
import type { DrainReport } from './drain-report.js';
import { MaintenanceInactiveError } from '../errors/maintenance-inactive.error.js';
import { assertSupportsReports } from './assert-supports-reports.js';
import { readReports } from './instance-reports.js';

/**
 * The pause between two reads where the storage notifies instances of changes, and where they poll, in milliseconds.
 */
const POLL_INTERVAL_WITH_WATCH_MS = 200;
const POLL_INTERVAL_MS = 1_000;
/** The bounds of the timeout of one storage call, in milliseconds. */
const STORAGE_CALL_TIMEOUT_MS = 10_000;
const MIN_STORAGE_CALL_TIMEOUT_MS = 1_000;
/** The time for which the storage may fail before the drain does, in milliseconds. */
const MAX_STORAGE_OUTAGE_MS = 30_000;

/** The options of {@link waitForDrain}. */
export interface DrainOptions {
  storage: StateStorage;
  clock: Clock;
  /** In milliseconds. */
  timeout: number;
  /** Whether the option `enabled` forces maintenance on, whatever is stored. */
  isForcedOn?: boolean;
  /** Called after each read of the reports. */
  onProgress?: (report: DrainReport) => void;
  /** Aborts the wait. */
  signal?: AbortSignal;
}

/**
 * Waits until every running instance applies the stored state and has finished its requests from before the window.
 *
 * An instance that stops reporting blocks the drain, because it may be partitioned and still serving. An instance
 * whose process no longer exists on this machine does not.
 *
 * @returns the result, also after the timeout, and as soon as only work that can't be counted is left: check `drained`
 * @throws TypeError if `timeout` is not a number of milliseconds
 * @throws {@link MaintenanceInactiveError} if maintenance is off, or is turned off meanwhile
 * @throws {@link MaintenanceStorageError} if the storage fails for 30 s, or does not support reports
 * @throws the reason of `signal` if it aborts
 */
export async function waitForDrain(options: DrainOptions): Promise<DrainReport> {
  const { timeout, signal } = options;
  if (typeof timeout !== 'number' || !(timeout >= 0)) {
    throw new TypeError(`\`timeout\` must be a number of milliseconds, 0 or more, not ${String(timeout)}.`);
  }
  const drain = new Drain(options).run();
  return signal === undefined ? drain : rejectOnAbort(drain, signal);
}

class Drain {
  readonly #reader: StateReader;
  readonly #progress: DrainProgress;
  readonly #startedAt = performance.now();

  constructor(private readonly options: DrainOptions) {
    assertSupportsReports(options.storage);
    this.#reader = new StateReader(unwrapCache(options.storage));
    this.#progress = new DrainProgress(options.clock);
  }

  async run(): Promise<DrainReport> {
    let failingSince: number | null = null;
    for (;;) {
      this.options.signal?.throwIfAborted();
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
    this.#progress.record(await readReports(storage, clock, this.#callTimeoutMs));
    const { drained, instances, pending } = this.#progress.compare(target);
    const { revision } = target;
    return { drained, revision, elapsed: performance.now() - this.#startedAt, instances, pending };
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

  /** The timeout of one storage call, in milliseconds: not much longer than the time that is left. */
  get #callTimeoutMs(): number {
    return Math.max(MIN_STORAGE_CALL_TIMEOUT_MS, Math.min(STORAGE_CALL_TIMEOUT_MS, this.#remainingMs));
  }

  #pause(): Promise<void> {
    const { storage } = this.options;
    const remaining = this.#remainingMs;
    return new Promise((resolve) => {
      // The timers of `Clock` are unref'ed; this one has to keep the process of the command alive.
      setTimeout(
        resolve,
        Math.max(0, Math.min(storage.watch ? POLL_INTERVAL_WITH_WATCH_MS : POLL_INTERVAL_MS, remaining)),
      );
    });
  }
}

/** Whether only work that no instance can count is left. */
function isStuck({ pending }: DrainReport): boolean {
  return pending.length > 0 && pending.every(({ reason }) => reason === 'uncounted');
}

function describeInactive(state: MaintenanceState | null): string {
  const last = state?.history.find(({ action }) => action === 'off');
  const author = last?.by === undefined ? '' : ` by ${last.by}`;
  const turnedOff = last ? ` It was turned off${author} at ${last.at}.` : '';
  return `Maintenance is off; there is nothing to wait for.${turnedOff} Requests are admitted.`;
}
