import { setTimeout as pause } from 'node:timers/promises';
import type { Clock } from '../utils/clock.js';
import { toIso } from '../utils/dates.js';
import type { InFlightTracker } from './in-flight-tracker.js';
import { withTimeout } from '../utils/with-timeout.js';
import type { InstanceReport } from '../core/instance-report.js';
import type { StateMonitor } from '../core/state-monitor.js';
import type { StateStorage } from '../storage/state-storage.js';
import type { InstanceIdentity } from './instance-identity.js';
import { readLiveInstances } from './instance-reports.js';

/** The longest time between two reports, in milliseconds: a third of the time for which storages keep them. */
export const HEARTBEAT_INTERVAL_MS = 30_000;
/** The shortest time between two reports while blocking work finishes, in milliseconds. */
const MIN_REPORT_INTERVAL_MS = 500;
/** The delay before a failed report is retried, in milliseconds; doubled each time, up to the heartbeat. */
const RETRY_DELAY_MS = 1_000;
/** The time for which a shutdown waits for in-flight work before the last report, in milliseconds. */
const SHUTDOWN_TIMEOUT_MS = 3_000;
/** The timeout of writing one report, in milliseconds. */
const REPORT_TIMEOUT_MS = 5_000;
/** The time for which the start of the application waits for its first report, in milliseconds. */
const FIRST_REPORT_TIMEOUT_MS = 1_000;
/** The number of kinds of work in a report. */
const MAX_LONGEST_RUNNING = 10;

/** The options of {@link InstanceReporter}. */
export interface ReporterOptions {
  identity: InstanceIdentity;
  /** `null` in a program that serves no calls, such as one of commands: it does not report. */
  storage: StateStorage | null;
  clock: Clock;
  /** Called with the error when a report can't be written, and with `null` once one could be written again. */
  onFailure: (error: unknown) => void;
  /** Called once, with the names of all applications, if several applications report to this storage. */
  onSharedStorage?: (applications: string[]) => void;
}

/**
 * Writes the reports of this instance: the state that it applies and its in-flight work. It reports at once when
 * the state changes, every 500 ms while blocking work finishes, otherwise as a heartbeat.
 */
export class InstanceReporter {
  #monitor: Pick<StateMonitor, 'getSnapshot' | 'state' | 'health'> | null = null;
  #inFlight: InFlightTracker | null = null;
  #sending: Promise<void> | null = null;
  #isOutdated = false;
  /** Whether the blocking work has changed since the last report was created. */
  #hasInFlightChanged = false;
  #failures = 0;
  #isStopped = false;
  #lastSent = -Infinity;
  /** The content of the report in the storage; `null` while one is written, and where the last one failed. */
  #lastWritten: string | null = null;
  #cancel: () => void = () => undefined;
  #createMembers: () => Record<string, unknown> = () => ({});

  constructor(private readonly options: ReporterOptions) {}

  /**
   * Writes the first report, before the instance reads the state for the first time: a command that changes the
   * state later finds this instance, and a change that was made earlier is read by it. Never rejects.
   */
  async sendFirstReport(): Promise<void> {
    if (!this.options.storage?.report) return;
    // A failing storage must not prevent the application from starting.
    await withTimeout(() => this.#sendNow(), this.options.clock, FIRST_REPORT_TIMEOUT_MS).catch(() => undefined);
  }

  /** Starts to report the state that `monitor` applies and the work that `inFlight` tracks. */
  start(monitor: Pick<StateMonitor, 'getSnapshot' | 'state' | 'health'>, inFlight: InFlightTracker): void {
    this.#monitor = monitor;
    this.#inFlight = inFlight;
    inFlight.onChange(() => this.#onInFlightChange());
    void this.#sendChange().then(() => this.#findOtherApplications());
  }

  /** Reports that another state is applied now. */
  onStateChange(): void {
    this.#inFlight?.refresh();
    if (this.#inFlight) void this.#sendNow();
  }

  /** Sets the function that returns further members of the reports. */
  addMembers(createMembers: () => Record<string, unknown>): void {
    this.#createMembers = createMembers;
  }

  /** Writes a report now. Returns whether the storage has it. */
  async publish(): Promise<boolean> {
    await this.#sendNow();
    return this.#lastWritten !== null;
  }

  /** Waits for in-flight work for a short time, then writes the last report. */
  async stop(): Promise<void> {
    if (this.#isStopped) return;
    this.#isStopped = true;
    this.#cancel();
    for (const end = Date.now() + SHUTDOWN_TIMEOUT_MS; this.#activeCount > 0 && Date.now() < end;) await pause(20);
    if (this.#lastSent === -Infinity) return;
    await this.#sending;
    await this.#send().catch(() => undefined);
  }

  // Each instance looks once, at its start: of two applications, the one that starts later finds the other.
  async #findOtherApplications(): Promise<void> {
    const { storage, clock, identity, onSharedStorage } = this.options;
    if (!onSharedStorage || !storage?.reports) return;
    const instances = await readLiveInstances(storage, clock).catch(() => []);
    const names = new Set([identity, ...instances].flatMap(({ application }) => application ?? []));
    if (names.size > 1 && !this.#isStopped) onSharedStorage([...names].sort());
  }

  get #activeCount(): number {
    return this.#inFlight?.activeCount ?? 0;
  }

  // The end of the last blocking work is reported at once, all others at most every 500 ms.
  #onInFlightChange(): void {
    this.#hasInFlightChanged = true;
    if (this.#inFlight?.counts.inFlight === 0) void this.#sendNow();
    else this.#scheduleSoon();
  }

  // Before the first read, an instance reports that no state is stored, and that is often still true.
  #sendChange(): Promise<void> {
    return this.#lastWritten === getContent(this.#createReport()) ? Promise.resolve() : this.#sendNow();
  }

  /** Writes one report at a time. Changes meanwhile are in the next one. */
  #sendNow(): Promise<void> {
    if (this.#isStopped || !this.options.storage?.report) return Promise.resolve();
    this.#isOutdated = true;
    this.#sending ??= this.#sendAll();
    return this.#sending;
  }

  async #sendAll(): Promise<void> {
    try {
      while (this.#isOutdated && !this.#isStopped) {
        this.#isOutdated = false;
        try {
          await this.#send();
          if (this.#failures > 0) this.options.onFailure(null);
          this.#failures = 0;
        } catch (error) {
          if (this.#failures === 0 && !this.#isStopped) this.options.onFailure(error);
          this.#failures++;
        }
      }
    } finally {
      // Synchronously: a change in the next moment would otherwise wait for a report that is never sent.
      this.#sending = null;
    }
    if (this.#failures > 0)
      return this.#schedule(Math.min(RETRY_DELAY_MS * 2 ** (this.#failures - 1), HEARTBEAT_INTERVAL_MS));
    // The blocking work has changed while the report was written.
    if (this.#hasInFlightChanged) return this.#scheduleSoon();
    // Earlier than the interval, so that no report of a running instance expires; random, so that instances do not
    // report in step.
    this.#schedule(HEARTBEAT_INTERVAL_MS * (0.8 + 0.2 * Math.random()));
  }

  #scheduleSoon(): void {
    this.#schedule(Math.max(0, this.#lastSent + MIN_REPORT_INTERVAL_MS - this.options.clock.now()));
  }

  #schedule(delay: number): void {
    this.#cancel();
    if (!this.#isStopped) this.#cancel = this.options.clock.wake(() => void this.#sendNow(), delay);
  }

  async #send(): Promise<void> {
    const { storage, clock } = this.options;
    // The timer for the start or end of a window may fire after this one.
    if (this.#inFlight?.isOutdated) this.#inFlight.refresh();
    // `refresh` may have found work whose handler has settled: that is ended in a microtask.
    await Promise.resolve();
    const report = this.#createReport();
    this.#hasInFlightChanged = false;
    this.#lastSent = clock.now();
    this.#lastWritten = null;
    await withTimeout(() => storage!.report!(report), clock, REPORT_TIMEOUT_MS);
    this.#lastWritten = getContent(report);
  }

  #createReport(): InstanceReport {
    const { identity, clock } = this.options;
    const snapshot = this.#monitor?.getSnapshot();
    const state = this.#monitor?.state;
    const counts = this.#inFlight?.counts ?? { inFlight: 0, streams: 0 };
    const forced = snapshot?.forced ?? null;
    const uncounted = this.#inFlight?.uncounted ?? [];
    const storageError = this.#monitor?.health.error;
    return {
      ...this.#createMembers(),
      ...identity,
      lineage: state?.lineage ?? null,
      revision: state?.revision ?? 0,
      windows: (snapshot?.active ?? []).map(({ id, startsAt }) => ({ id, startsAt })),
      ...(forced !== null && { forced }),
      ...(storageError !== undefined && { storageError }),
      ...counts,
      ...(counts.inFlight > 0 && { longest: this.#inFlight!.getLongestRunning(MAX_LONGEST_RUNNING) }),
      ...(uncounted.length > 0 && { uncounted }),
      // After its shutdown, an instance can't report that its in-flight work is finished.
      ...(this.#isStopped && { stopped: true, inFlight: this.#activeCount }),
      seenAt: toIso(clock.now()),
    };
  }
}

/** Returns the content of a report, without its time. */
function getContent(report: InstanceReport): string {
  return JSON.stringify({ ...report, seenAt: '' });
}
