import type { Clock } from '../utils/clock.js';
import { toIso } from '../utils/dates.js';
import { inTime } from '../utils/in-time.js';
import { isLeased, LEASE_FRESHNESS } from './lease-changes.js';
import type { MaintenanceState } from './maintenance-state.js';
import type { StatusSource } from './maintenance-status.js';
import type { StoredWindow } from './maintenance-window.js';
import { reasonOf } from '../utils/reason-of.js';
import { Timetable } from './timetable.js';

/** What decides while the storage fails. */
export type StorageFailurePolicy = 'last-known' | 'on' | 'off';

/** The part of a storage that the monitor needs. */
export interface StateSource {
  read(): Promise<{ state: MaintenanceState; version: string } | null>;
  watch?(changed: () => void): Promise<() => Promise<void>>;
}

export interface StateMonitorOptions {
  source: StateSource;
  clock: Clock;
  /** Milliseconds between two reads; the safety net where the source notifies. */
  refreshInterval: number;
  onStorageFailure: StorageFailurePolicy;
  /** Forces the answer over what is stored. */
  enabled?: boolean;
  /** Milliseconds for which an older revision counts as a read that was overtaken. Default: {@link OLDER_REVISION_PATIENCE}. */
  olderRevisionPatience?: number;
  /** Something that a status shows is different now. */
  changed?: () => void;
  /** The source began to fail, or works again. */
  healthChanged?: (error: Error | null) => void;
}

/** What holds at one moment. */
export interface Situation {
  source: StatusSource;
  /** The answer for everything, whatever the windows say; `null` where they decide. */
  forced: boolean | null;
  active: readonly StoredWindow[];
}

/** What is known of the source's health. */
export interface SourceHealth {
  healthy: boolean;
  lastReadAt: string | null;
  error?: string;
}

/** A read that takes longer counts as failed, in milliseconds. */
export const READ_TIMEOUT = 5_000;
/** A timer may be this late in a busy process; later, and the process was suspended. In milliseconds. */
const TIMER_TOLERANCE = 1_000;
/** The longest time for which decisions wait for the first read after a suspension, in milliseconds. */
const CATCH_UP_TIMEOUT = 1_000;
/** The longest pause between two attempts to read a source that fails, in milliseconds. */
const LONGEST_BACKOFF = 30_000;
/**
 * An older revision is a read that was overtaken, or came from a cache; one that stays for so many milliseconds is a backup that
 * somebody has put back.
 */
const OLDER_REVISION_PATIENCE = 60_000;

const NO_WINDOWS: readonly StoredWindow[] = [];

/**
 * Holds the snapshot that every decision reads, and keeps it fresh: one reader in the process, however many callers. A read that
 * gives an older revision of the same lineage replaces nothing.
 */
export class StateMonitor {
  readonly #options: StateMonitorOptions;
  #state: MaintenanceState | null = null;
  #isKnown = false;
  #error: Error | null = null;
  #lastReadAt: string | null = null;
  #timetable = new Timetable(NO_WINDOWS);
  #situation: Situation;

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
  #isOver = false;

  constructor(options: StateMonitorOptions) {
    this.#options = options;
    this.#situation = this.#assess();
  }

  /** Reads the source once, then follows it until {@link stop}. Never rejects: a source that fails is a situation too. */
  async start(): Promise<void> {
    this.#isRunning = true;
    this.#isOver = false;
    // The poll does without notifications, and the read that follows says what is wrong.
    await this.#inTime(() => this.#watch()).catch(() => undefined);
    await this.refresh();
  }

  /** Ends the watch and all timers. */
  async stop(): Promise<void> {
    this.#isRunning = false;
    this.#isOver = true;
    this.#freshUntil = Infinity;
    this.#cancelPoll();
    this.#cancelBoundary();
    const endWatch = this.#endWatch;
    this.#endWatch = null;
    if (endWatch) await this.#inTime(endWatch);
  }

  /** Reads the source now; resolves when a read that began after the call is done. */
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
   * Whether the source was read as lately as `refreshInterval` promises. It was not in a process that was suspended, as serverless
   * platforms do between requests: neither timers nor notifications have told it of a change.
   */
  get isFresh(): boolean {
    return this.#options.clock.now() <= this.#freshUntil;
  }

  /**
   * Reads the source because the snapshot is not fresh. Resolves after that read, or after {@link CATCH_UP_TIMEOUT} ms: then the source
   * counts as failed until it answers.
   */
  catchUp(): Promise<void> {
    return (this.#catchingUp ??= this.#readLate().finally(() => (this.#catchingUp = null)));
  }

  async #readLate(): Promise<void> {
    const { clock } = this.#options;
    try {
      await inTime(() => this.refresh(), clock, CATCH_UP_TIMEOUT);
    } catch (error) {
      this.#fail(error as Error);
      // The read goes on, and is the only one that waits.
      this.#expectReadBy(clock.now() + 2 * READ_TIMEOUT);
    }
  }

  /** Takes over what a write has left in the source. Reads that began before it count no more. */
  adopt(state: MaintenanceState | null): void {
    this.#writes++;
    this.#take(state, true);
  }

  #take(state: MaintenanceState | null, isCertain: boolean): void {
    this.#lastReadAt = toIso(this.#options.clock.now());
    const wasHealthy = this.#error === null;
    const isFirst = !this.#isKnown;
    this.#error = null;
    this.#failures = 0;
    if (!wasHealthy) this.#options.healthChanged?.(null);
    if (isCertain || !this.#isOvertaken(state)) {
      const isSame = state?.lineage === this.#state?.lineage && state?.revision === this.#state?.revision;
      const isEdited = isSame && JSON.stringify(state?.windows) !== JSON.stringify(this.#state?.windows);
      this.#isKnown = true;
      if (isFirst || !isSame || isEdited) {
        this.#state = state;
        this.#timetable = new Timetable(state?.windows ?? NO_WINDOWS);
        this.#announce();
        return;
      }
    }
    if (!wasHealthy) this.#announce();
  }

  #isOvertaken(state: MaintenanceState | null): boolean {
    const isOlder = state !== null && state.lineage === this.#state?.lineage && state.revision < this.#state.revision;
    if (!isOlder) {
      this.#olderSince = null;
      return false;
    }
    const now = this.#options.clock.now();
    this.#olderSince ??= now;
    return now - this.#olderSince < (this.#options.olderRevisionPatience ?? OLDER_REVISION_PATIENCE);
  }

  /** What holds now. From memory. */
  situation(): Situation {
    if (this.#timetable.isEmpty) return this.#situation;
    const active = this.#timetable.activeAt(this.#options.clock.now());
    if (active !== this.#situation.active) this.#situation = { ...this.#situation, active };
    return this.#situation;
  }

  /** The windows still to come, the nearest first. */
  planned(): StoredWindow[] {
    return this.#timetable.plannedAt(this.#options.clock.now());
  }

  /** The state that decides now; `null` where none is stored. */
  get state(): MaintenanceState | null {
    return this.#state;
  }

  get health(): SourceHealth {
    return {
      healthy: this.#error === null && this.#isKnown,
      lastReadAt: this.#lastReadAt,
      ...(this.#error && { error: reasonOf(this.#error) }),
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
    // A read that starts late belongs to a process that was suspended: its snapshot stays overdue until this read is done.
    const isLate = !this.isFresh;
    const timeout = clock.now() + (isLate ? 2 * READ_TIMEOUT : READ_TIMEOUT);
    if (!isLate) this.#expectReadBy(timeout);
    try {
      const found = await (isLate ? this.#readAfterSuspension() : this.#readSource());
      if (writes !== this.#writes) return await this.#read();
      this.#take(found?.state ?? null, false);
    } catch (error) {
      this.#fail(error instanceof Error ? error : new Error(reasonOf(error)));
    } finally {
      // What a process asked for before it was suspended says nothing of what has happened since.
      if (this.#isRunning && clock.now() > timeout + TIMER_TOLERANCE) void this.refresh();
      else this.#poll();
    }
  }

  #readSource(): ReturnType<StateSource['read']> {
    return this.#inTime(() => this.#options.source.read());
  }

  // The first read may find that its connection has not survived the suspension; the second opens another.
  #readAfterSuspension(): ReturnType<StateSource['read']> {
    return this.#readSource().catch(() => this.#readSource());
  }

  /** @param moment - milliseconds since the epoch */
  #expectReadBy(moment: number): void {
    const { enabled } = this.#options;
    this.#freshUntil = this.#isRunning && enabled === undefined ? moment + TIMER_TOLERANCE : Infinity;
  }

  #fail(error: Error): void {
    // Who has ended the monitor has ended the source too.
    if (this.#isOver) return;
    const isNews = this.#error === null;
    const isOther = this.#error?.message !== error.message;
    this.#error = error;
    this.#failures++;
    if (isNews) this.#options.healthChanged?.(error);
    if (isNews || isOther) this.#announce();
  }

  #poll(): void {
    this.#cancelPoll();
    if (!this.#isRunning) return;
    const { refreshInterval, clock } = this.#options;
    const pause = Math.min(
      refreshInterval * 2 ** Math.max(0, this.#failures - 1),
      Math.max(refreshInterval, LONGEST_BACKOFF),
      isLeased(this.#state) ? LEASE_FRESHNESS : Infinity,
    );
    this.#expectReadBy(clock.now() + pause);
    // Earlier, never later, so that the interval stays the bound; spread, so that instances do not read in step.
    this.#cancelPoll = clock.wake(() => void this.refresh(), pause * (0.8 + 0.2 * Math.random()));
  }

  #inTime<T>(work: () => Promise<T>): Promise<T> {
    return inTime(work, this.#options.clock, READ_TIMEOUT);
  }

  #announce(): void {
    this.#situation = this.#assess();
    this.#options.changed?.();
    this.#wakeAtBoundary();
  }

  #wakeAtBoundary(): void {
    this.#cancelBoundary();
    if (!this.#isRunning) return;
    const { clock } = this.#options;
    const boundary = this.#timetable.nextBoundary(clock.now());
    if (boundary === Infinity) return;
    const wake = (): void => {
      if (clock.now() >= boundary) this.#announce();
      else this.#cancelBoundary = clock.wake(wake, boundary - clock.now());
    };
    this.#cancelBoundary = clock.wake(wake, boundary - clock.now());
  }

  #assess(): Situation {
    const { enabled, onStorageFailure, clock } = this.#options;
    const active = this.#timetable.activeAt(clock.now());
    if (enabled !== undefined) return { source: 'configuration', forced: enabled, active };
    const hasFailed = this.#error !== null;
    if (hasFailed && onStorageFailure !== 'last-known') {
      return { source: 'fallback', forced: onStorageFailure === 'on', active };
    }
    if (!this.#isKnown) return { source: 'fallback', forced: onStorageFailure === 'on', active };
    return { source: hasFailed ? 'last-known' : 'storage', forced: null, active };
  }
}
