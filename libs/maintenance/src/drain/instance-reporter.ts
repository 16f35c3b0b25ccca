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

/** The longest time between two reports of an instance to which nothing happens, in milliseconds. A third of what storages keep them. */
export const HEARTBEAT_INTERVAL_MS = 30_000;
/** The shortest time between two reports that only count down, in milliseconds. */
const MIN_REPORT_INTERVAL_MS = 500;
/** How soon a report that failed is tried again, in milliseconds; doubled each time, up to the heartbeat. */
const RETRY_DELAY_MS = 1_000;
/** How long an instance that ends waits for what is still under way, in milliseconds. */
const SHUTDOWN_TIMEOUT_MS = 3_000;
/** What a report may take, in milliseconds; more of them wait meanwhile. */
const REPORT_TIMEOUT_MS = 5_000;
/** How long an application that starts waits for its first report to be written, in milliseconds. */
const FIRST_REPORT_TIMEOUT_MS = 1_000;
const MAX_LONGEST_RUNNING = 10;

export interface ReporterOptions {
  identity: InstanceIdentity;
  /** `null`: nobody is served here, so there is nothing to say. */
  storage: StateStorage | null;
  clock: Clock;
  /** Told when reports can't be written, with the reason, and when they can again, with `null`. */
  onFailure: (error: unknown) => void;
  /** Told once if instances of other applications report on the same storage, with the names of all. */
  onSharedStorage?: (applications: string[]) => void;
}

/**
 * Says beside the state what this instance applies and what it still works on: at once when something changes, while it drains, else
 * as a heartbeat.
 */
export class InstanceReporter {
  #monitor: Pick<StateMonitor, 'getSnapshot' | 'state' | 'health'> | null = null;
  #inFlight: InFlightTracker | null = null;
  #sending: Promise<void> | null = null;
  #isOutdated = false;
  #failures = 0;
  #isStopped = false;
  #lastSent = -Infinity;
  #cancel: () => void = () => undefined;

  constructor(private readonly options: ReporterOptions) {}

  /**
   * Says that there is one more, before it reads the state for the first time: whoever writes after that finds it, and whoever wrote
   * before is found by it. Never rejects.
   */
  async sendFirstReport(): Promise<void> {
    if (!this.options.storage?.report) return;
    // A storage that fails must not keep the application from starting.
    await withTimeout(() => this.#sendNow(), this.options.clock, FIRST_REPORT_TIMEOUT_MS).catch(() => undefined);
  }

  /** Begins to follow what is applied and what is in flight. */
  start(monitor: Pick<StateMonitor, 'getSnapshot' | 'state' | 'health'>, inFlight: InFlightTracker): void {
    this.#monitor = monitor;
    this.#inFlight = inFlight;
    inFlight.onChange(() => this.#onInFlightChange());
    void this.#sendNow().then(() => this.#findOtherApplications());
  }

  /** Something else is applied now. */
  onStateChange(): void {
    this.#inFlight?.refresh();
    if (this.#inFlight) void this.#sendNow();
  }

  /** The last report: the instance ends. */
  async stop(): Promise<void> {
    if (this.#isStopped) return;
    this.#isStopped = true;
    this.#cancel();
    for (const end = Date.now() + SHUTDOWN_TIMEOUT_MS; this.#activeCount > 0 && Date.now() < end;) await pause(20);
    if (this.#lastSent === -Infinity) return;
    await this.#sending;
    await this.#send().catch(() => undefined);
  }

  // Once, by each instance that starts: the later of two applications finds the earlier one.
  async #findOtherApplications(): Promise<void> {
    const { storage, clock, identity, onSharedStorage: isShared } = this.options;
    if (!isShared || !storage?.reports) return;
    const instances = await readLiveInstances(storage, clock).catch(() => []);
    const names = new Set([identity, ...instances].flatMap(({ application }) => application ?? []));
    if (names.size > 1 && !this.#isStopped) isShared([...names].sort());
  }

  get #activeCount(): number {
    return this.#inFlight?.activeCount ?? 0;
  }

  // The last of what was in flight is news; how many are left is worth a look now and then.
  #onInFlightChange(): void {
    if (this.#inFlight?.counts.inFlight === 0) void this.#sendNow();
    else this.#schedule(Math.max(0, this.#lastSent + MIN_REPORT_INTERVAL_MS - this.options.clock.now()));
  }

  /** One report at a time. What happens meanwhile is in the next one. */
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
      // At once: what changes a moment later would believe that somebody sends it.
      this.#sending = null;
    }
    if (this.#failures > 0)
      return this.#schedule(Math.min(RETRY_DELAY_MS * 2 ** (this.#failures - 1), HEARTBEAT_INTERVAL_MS));
    // Earlier, never later, so that the records of instances that live do not run out; spread, so that they do not come in step.
    this.#schedule(HEARTBEAT_INTERVAL_MS * (0.8 + 0.2 * Math.random()));
  }

  #schedule(delay: number): void {
    this.#cancel();
    if (!this.#isStopped) this.#cancel = this.options.clock.wake(() => void this.#sendNow(), delay);
  }

  async #send(): Promise<void> {
    const { storage, clock } = this.options;
    // The timer that tells of a boundary may come later than this one.
    if (this.#inFlight?.isOutdated) this.#inFlight.refresh();
    // What was done long ago may have been found out only now.
    await Promise.resolve();
    const report = this.#createReport();
    this.#lastSent = clock.now();
    await withTimeout(() => storage!.report!(report), clock, REPORT_TIMEOUT_MS);
  }

  #createReport(): InstanceReport {
    const { identity, clock } = this.options;
    const situation = this.#monitor?.getSnapshot();
    const state = this.#monitor?.state;
    const counts = this.#inFlight?.counts ?? { inFlight: 0, streams: 0 };
    const forced = situation?.forced ?? null;
    const uncounted = this.#inFlight?.uncounted ?? [];
    const storageError = this.#monitor?.health.error;
    return {
      ...identity,
      lineage: state?.lineage ?? null,
      revision: state?.revision ?? 0,
      windows: (situation?.active ?? []).map(({ id, startsAt }) => ({ id, startsAt })),
      ...(forced !== null && { forced }),
      ...(storageError !== undefined && { storageError }),
      ...counts,
      ...(counts.inFlight > 0 && { longest: this.#inFlight!.getLongestRunning(MAX_LONGEST_RUNNING) }),
      ...(uncounted.length > 0 && { uncounted }),
      // What is under way in an instance that has ended is nobody's to count down.
      ...(this.#isStopped && { stopped: true, inFlight: this.#activeCount }),
      seenAt: toIso(clock.now()),
    };
  }
}
