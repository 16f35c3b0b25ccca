import type { Clock } from '../utils/clock.js';
import { toIso } from '../utils/dates.js';
import { withTimeout } from '../utils/with-timeout.js';
import { hasLeasedWindow, LEASE_REFRESH_INTERVAL_MS } from './lease-changes.js';
import type { MaintenanceState } from './maintenance-state.js';
import type { StatusSource } from './maintenance-status.js';
import type { StoredWindow } from './maintenance-window.js';
import { toErrorMessage } from '../utils/to-error-message.js';
import { WindowSchedule } from './window-schedule.js';

/** The state to use while the storage fails. */
export type StorageFailurePolicy = 'last-known' | 'on' | 'off';

/** The methods of a storage that the monitor calls. */
export interface StateSource {
  read(): Promise<{ state: MaintenanceState; version: string } | null>;
  watch?(changed: () => void): Promise<() => Promise<void>>;
}

/** The dependencies and settings of {@link StateMonitor}. */
export interface StateMonitorOptions {
  source: StateSource;
  clock: Clock;
  /** Milliseconds between two reads, in addition to notifications of the source. */
  refreshInterval: number;
  onStorageFailure: StorageFailurePolicy;
  /** Forces the answer over what is stored. */
  enabled?: boolean;
  /** Milliseconds for which an older revision is ignored. @defaultValue {@link STALE_READ_GRACE_PERIOD_MS} */
  staleReadGracePeriodMs?: number;
  /** Called when the status may have changed. */
  onChange?: () => void;
  /** Called when the source begins to fail, and with `null` when it works again. */
  onHealthChange?: (error: Error | null) => void;
}

/** The answer at one moment. */
export interface MonitorSnapshot {
  source: StatusSource;
  /** The answer for every call, whatever the windows; `null` if the windows decide. */
  forced: boolean | null;
  active: readonly StoredWindow[];
}

/** The health of the source. */
export interface SourceHealth {
  healthy: boolean;
  lastReadAt: string | null;
  error?: string;
}

/** A read that takes longer counts as failed. */
export const READ_TIMEOUT_MS = 5_000;
/** How late a timer may be in a busy process. If it is later, the process was suspended. */
const TIMER_TOLERANCE_MS = 1_000;
/** How long decisions wait for the first read after a suspension. */
const CATCH_UP_TIMEOUT_MS = 1_000;
/** The longest pause between two reads of a source that fails. */
const MAX_BACKOFF_MS = 30_000;
/**
 * How long an older revision is ignored as a stale read, of a cache for example. After that it counts as a restored
 * backup.
 */
const STALE_READ_GRACE_PERIOD_MS = 60_000;

const NO_WINDOWS: readonly StoredWindow[] = [];

/**
 * Keeps an in-memory snapshot of the state for every decision, with one read at a time in the process. A read that
 * returns an older revision of the same lineage does not replace the snapshot.
 */
export class StateMonitor {
  readonly #options: StateMonitorOptions;
  #state: MaintenanceState | null = null;
  #hasState = false;
  #error: Error | null = null;
  #lastReadAt: string | null = null;
  #schedule = new WindowSchedule(NO_WINDOWS);
  #snapshot: MonitorSnapshot;

  #reading: Promise<void> | null = null;
  #nextReading: Promise<void> | null = null;
  #writes = 0;
  #olderSince: number | null = null;
  #failures = 0;
  /** When the next read is overdue, in milliseconds since the epoch. */
  #freshUntil = Infinity;
  #catchingUp: Promise<void> | null = null;
  #cancelPoll: () => void = () => undefined;
  #cancelBoundary: () => void = () => undefined;
  #endWatch: (() => Promise<void>) | null = null;
  #isRunning = false;
  #isStopped = false;

  constructor(options: StateMonitorOptions) {
    this.#options = options;
    this.#snapshot = this.#createSnapshot();
  }

  /** Reads the source once, then follows it until {@link stop}. Never rejects: the status shows a source that fails. */
  async start(): Promise<void> {
    this.#isRunning = true;
    this.#isStopped = false;
    // Polling needs no notifications, and the read below reports the error.
    await this.#withTimeout(() => this.#watch()).catch(() => undefined);
    await this.refresh();
  }

  /** Ends the watch and all timers. */
  async stop(): Promise<void> {
    this.#isRunning = false;
    this.#isStopped = true;
    this.#freshUntil = Infinity;
    this.#cancelPoll();
    this.#cancelBoundary();
    const endWatch = this.#endWatch;
    this.#endWatch = null;
    if (endWatch) await this.#withTimeout(endWatch);
  }

  /** Reads the source now. Resolves after a read that began after the call. */
  refresh(): Promise<void> {
    if (this.#reading === null) {
      this.#reading = this.#read().finally(() => (this.#reading = null));
      return this.#reading;
    }
    this.#nextReading ??= this.#reading.then(() => {
      this.#nextReading = null;
      return this.refresh();
    });
    return this.#nextReading;
  }

  /**
   * Whether the last read is as recent as `refreshInterval` promises. It is not after a suspension, as on serverless
   * platforms between requests: neither timers nor notifications run meanwhile.
   */
  get isFresh(): boolean {
    return this.isFreshAt(this.#options.clock.now());
  }

  /** Whether the last read is recent at `now`, for callers that have read the clock: it takes longer than the rest. */
  isFreshAt(now: number): boolean {
    return now <= this.#freshUntil;
  }

  /**
   * Reads the source because the snapshot is not fresh. Resolves after that read, or after {@link CATCH_UP_TIMEOUT_MS};
   * the source then counts as failed until it answers.
   */
  catchUp(): Promise<void> {
    return (this.#catchingUp ??= this.#readAfterWake().finally(() => (this.#catchingUp = null)));
  }

  async #readAfterWake(): Promise<void> {
    const { clock } = this.#options;
    try {
      await withTimeout(() => this.refresh(), clock, CATCH_UP_TIMEOUT_MS);
    } catch (error) {
      this.#fail(error as Error);
      // The read continues; no second one starts meanwhile.
      this.#expectReadBy(clock.now() + 2 * READ_TIMEOUT_MS);
    }
  }

  /** Applies the state that a write has left in the source. Reads that began before it are ignored. */
  adopt(state: MaintenanceState | null): void {
    this.#writes++;
    this.#applyState(state, true);
  }

  #applyState(state: MaintenanceState | null, isCertain: boolean): void {
    this.#lastReadAt = toIso(this.#options.clock.now());
    const wasHealthy = this.#error === null;
    const isFirst = !this.#hasState;
    this.#error = null;
    this.#failures = 0;
    if (!wasHealthy) this.#options.onHealthChange?.(null);
    if (isCertain || !this.#isStaleRead(state)) {
      const isSame = state?.lineage === this.#state?.lineage && state?.revision === this.#state?.revision;
      const isEdited = isSame && JSON.stringify(state?.windows) !== JSON.stringify(this.#state?.windows);
      this.#hasState = true;
      if (isFirst || !isSame || isEdited) {
        this.#state = state;
        this.#schedule = new WindowSchedule(state?.windows ?? NO_WINDOWS);
        this.#notify();
        return;
      }
    }
    if (!wasHealthy) this.#notify();
  }

  #isStaleRead(state: MaintenanceState | null): boolean {
    const isOlder = state !== null && state.lineage === this.#state?.lineage && state.revision < this.#state.revision;
    if (!isOlder) {
      this.#olderSince = null;
      return false;
    }
    const now = this.#options.clock.now();
    this.#olderSince ??= now;
    return now - this.#olderSince < (this.#options.staleReadGracePeriodMs ?? STALE_READ_GRACE_PERIOD_MS);
  }

  /**
   * Returns the answer from memory.
   *
   * @param now - the current time, in milliseconds since the epoch; by default the clock is read where it matters
   */
  getSnapshot(now?: number): MonitorSnapshot {
    if (this.#schedule.isEmpty) return this.#snapshot;
    const active = this.#schedule.getActiveAt(now ?? this.#options.clock.now());
    if (active !== this.#snapshot.active) this.#snapshot = { ...this.#snapshot, active };
    return this.#snapshot;
  }

  /** Returns the planned windows, in the order of their start. */
  getPlannedWindows(): StoredWindow[] {
    return this.#schedule.getPlannedAt(this.#options.clock.now());
  }

  /** The state that this instance applies; `null` if none is stored. */
  get state(): MaintenanceState | null {
    return this.#state;
  }

  /** The error of the last read; `null` if it succeeded. */
  get error(): Error | null {
    return this.#error;
  }

  /** The health of the source. */
  get health(): SourceHealth {
    return {
      healthy: this.#error === null && this.#hasState,
      lastReadAt: this.#lastReadAt,
      ...(this.#error && { error: toErrorMessage(this.#error) }),
    };
  }

  async #watch(): Promise<void> {
    const end = await this.#options.source.watch?.(() => {
      if (this.#isRunning) void this.refresh();
    });
    if (this.#isRunning) this.#endWatch = end ?? null;
    else await end?.();
  }

  async #read(): Promise<void> {
    const writes = this.#writes;
    const { clock } = this.#options;
    // After a suspension, the snapshot stays overdue until this read is done.
    const isLate = !this.isFresh;
    const timeout = clock.now() + (isLate ? 2 * READ_TIMEOUT_MS : READ_TIMEOUT_MS);
    if (!isLate) this.#expectReadBy(timeout);
    try {
      const found = await (isLate ? this.#readAfterSuspension() : this.#readSource());
      if (writes !== this.#writes) return await this.#read();
      this.#applyState(found?.state ?? null, false);
    } catch (error) {
      this.#fail(error instanceof Error ? error : new Error(toErrorMessage(error)));
    } finally {
      // A read that was requested before a suspension does not show later changes.
      if (this.#isRunning && clock.now() > timeout + TIMER_TOLERANCE_MS) void this.refresh();
      else this.#schedulePoll();
    }
  }

  #readSource(): ReturnType<StateSource['read']> {
    return this.#withTimeout(() => this.#options.source.read());
  }

  // The connection may not have survived the suspension; the second read opens another.
  #readAfterSuspension(): ReturnType<StateSource['read']> {
    return this.#readSource().catch(() => this.#readSource());
  }

  /** @param moment - milliseconds since the epoch */
  #expectReadBy(moment: number): void {
    const { enabled } = this.#options;
    this.#freshUntil = this.#isRunning && enabled === undefined ? moment + TIMER_TOLERANCE_MS : Infinity;
  }

  #fail(error: Error): void {
    // The source is closed as well; ignore late failures.
    if (this.#isStopped) return;
    const isFirst = this.#error === null;
    const isOther = this.#error?.message !== error.message;
    this.#error = error;
    this.#failures++;
    if (isFirst) this.#options.onHealthChange?.(error);
    if (isFirst || isOther) this.#notify();
  }

  #schedulePoll(): void {
    this.#cancelPoll();
    if (!this.#isRunning) return;
    const { refreshInterval, clock } = this.#options;
    const pause = Math.min(
      refreshInterval * 2 ** Math.max(0, this.#failures - 1),
      Math.max(refreshInterval, MAX_BACKOFF_MS),
      hasLeasedWindow(this.#state) ? LEASE_REFRESH_INTERVAL_MS : Infinity,
    );
    this.#expectReadBy(clock.now() + pause);
    // Up to a fifth earlier, so that instances do not read in step and the interval remains the upper bound.
    this.#cancelPoll = clock.wake(() => void this.refresh(), pause * (0.8 + 0.2 * Math.random()));
  }

  #withTimeout<T>(work: () => Promise<T>): Promise<T> {
    return withTimeout(work, this.#options.clock, READ_TIMEOUT_MS);
  }

  #notify(): void {
    this.#snapshot = this.#createSnapshot();
    this.#options.onChange?.();
    this.#scheduleBoundary();
  }

  #scheduleBoundary(): void {
    this.#cancelBoundary();
    if (!this.#isRunning) return;
    const { clock } = this.#options;
    const boundary = this.#schedule.findNextBoundary(clock.now());
    if (boundary === Infinity) return;
    const wake = (): void => {
      if (clock.now() >= boundary) this.#notify();
      else this.#cancelBoundary = clock.wake(wake, boundary - clock.now());
    };
    this.#cancelBoundary = clock.wake(wake, boundary - clock.now());
  }

  #createSnapshot(): MonitorSnapshot {
    const { enabled, onStorageFailure, clock } = this.#options;
    const active = this.#schedule.getActiveAt(clock.now());
    if (enabled !== undefined) return { source: 'configuration', forced: enabled, active };
    const hasFailed = this.#error !== null;
    if (hasFailed && onStorageFailure !== 'last-known') {
      return { source: 'fallback', forced: onStorageFailure === 'on', active };
    }
    if (!this.#hasState) return { source: 'fallback', forced: onStorageFailure === 'on', active };
    return { source: hasFailed ? 'last-known' : 'storage', forced: null, active };
  }
}
