import { setTimeout as pause } from 'node:timers/promises';
import type { Clock } from '../utils/clock.js';
import { toIso } from '../utils/dates.js';
import type { InFlight } from './in-flight.js';
import { inTime } from '../utils/in-time.js';
import type { InstanceReport } from '../core/instance-report.js';
import type { StateMonitor } from '../core/state-monitor.js';
import type { StateStorage } from '../storage/state-storage.js';
import type { Identity } from './identity.js';
import { livingInstances } from './instances.js';

/** The longest time between two reports of an instance to which nothing happens, in milliseconds. A third of what storages keep them. */
export const HEARTBEAT = 30_000;
/** The shortest time between two reports that only count down, in milliseconds. */
const COUNTDOWN = 500;
/** How soon a report that failed is tried again, in milliseconds; doubled each time, up to the heartbeat. */
const RETRY = 1_000;
/** How long an instance that ends waits for what is still under way, in milliseconds. */
const FAREWELL = 3_000;
/** What a report may take, in milliseconds; more of them wait meanwhile. */
const PATIENCE = 5_000;
/** How long an application that starts waits for its first report to be written, in milliseconds. */
const FIRST_PATIENCE = 1_000;
const LONGEST = 10;

export interface ReporterParts {
  identity: Identity;
  /** `null`: nobody is served here, so there is nothing to say. */
  storage: StateStorage | null;
  clock: Clock;
  /** Told when reports can't be written, with the reason, and when they can again, with `null`. */
  failed: (error: unknown) => void;
  /** Told once if instances of other applications report on the same storage, with the names of all. */
  isShared?: (applications: string[]) => void;
}

/**
 * Says beside the state what this instance applies and what it still works on: at once when something changes, while it drains, else
 * as a heartbeat.
 */
export class Reporter {
  #monitor: Pick<StateMonitor, 'situation' | 'state' | 'health'> | null = null;
  #inFlight: InFlight | null = null;
  #sending: Promise<void> | null = null;
  #isOutdated = false;
  #failures = 0;
  #isOver = false;
  #lastSent = -Infinity;
  #cancel: () => void = () => undefined;

  constructor(private readonly parts: ReporterParts) {}

  /**
   * Says that there is one more, before it reads the state for the first time: whoever writes after that finds it, and whoever wrote
   * before is found by it. Never rejects.
   */
  async join(): Promise<void> {
    if (!this.parts.storage?.report) return;
    // A storage that fails must not keep the application from starting.
    await inTime(() => this.#now(), this.parts.clock, FIRST_PATIENCE).catch(() => undefined);
  }

  /** Begins to follow what is applied and what is in flight. */
  follow(monitor: Pick<StateMonitor, 'situation' | 'state' | 'health'>, inFlight: InFlight): void {
    this.#monitor = monitor;
    this.#inFlight = inFlight;
    inFlight.listen(() => this.#countDown());
    void this.#now().then(() => this.#findOtherApplications());
  }

  /** Something else is applied now. */
  changed(): void {
    this.#inFlight?.review();
    if (this.#inFlight) void this.#now();
  }

  /** The last report: the instance ends. */
  async leave(): Promise<void> {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#cancel();
    for (const end = Date.now() + FAREWELL; this.#underWay > 0 && Date.now() < end;) await pause(20);
    if (this.#lastSent === -Infinity) return;
    await this.#sending;
    await this.#send().catch(() => undefined);
  }

  // Once, by each instance that starts: the later of two applications finds the earlier one.
  async #findOtherApplications(): Promise<void> {
    const { storage, clock, identity, isShared } = this.parts;
    if (!isShared || !storage?.reports) return;
    const instances = await livingInstances(storage, clock).catch(() => []);
    const names = new Set([identity, ...instances].flatMap(({ application }) => application ?? []));
    if (names.size > 1 && !this.#isOver) isShared([...names].sort());
  }

  get #underWay(): number {
    return this.#inFlight?.underWay ?? 0;
  }

  // The last of what was in flight is news; how many are left is worth a look now and then.
  #countDown(): void {
    if (this.#inFlight?.counts.inFlight === 0) void this.#now();
    else this.#wake(Math.max(0, this.#lastSent + COUNTDOWN - this.parts.clock.now()));
  }

  /** One report at a time. What happens meanwhile is in the next one. */
  #now(): Promise<void> {
    if (this.#isOver || !this.parts.storage?.report) return Promise.resolve();
    this.#isOutdated = true;
    this.#sending ??= this.#sendAll();
    return this.#sending;
  }

  async #sendAll(): Promise<void> {
    try {
      while (this.#isOutdated && !this.#isOver) {
        this.#isOutdated = false;
        try {
          await this.#send();
          if (this.#failures > 0) this.parts.failed(null);
          this.#failures = 0;
        } catch (error) {
          if (this.#failures === 0 && !this.#isOver) this.parts.failed(error);
          this.#failures++;
        }
      }
    } finally {
      // At once: what changes a moment later would believe that somebody sends it.
      this.#sending = null;
    }
    if (this.#failures > 0) return this.#wake(Math.min(RETRY * 2 ** (this.#failures - 1), HEARTBEAT));
    // Earlier, never later, so that the records of instances that live do not run out; spread, so that they do not come in step.
    this.#wake(HEARTBEAT * (0.8 + 0.2 * Math.random()));
  }

  #wake(delay: number): void {
    this.#cancel();
    if (!this.#isOver) this.#cancel = this.parts.clock.wake(() => void this.#now(), delay);
  }

  async #send(): Promise<void> {
    const { storage, clock } = this.parts;
    // The timer that tells of a boundary may come later than this one.
    if (this.#inFlight?.isOutdated) this.#inFlight.review();
    // What was done long ago may have been found out only now.
    await Promise.resolve();
    const report = this.#report();
    this.#lastSent = clock.now();
    await inTime(() => storage!.report!(report), clock, PATIENCE);
  }

  #report(): InstanceReport {
    const { identity, clock } = this.parts;
    const situation = this.#monitor?.situation();
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
      ...(counts.inFlight > 0 && { longest: this.#inFlight!.longest(LONGEST) }),
      ...(uncounted.length > 0 && { uncounted }),
      // What is under way in an instance that has ended is nobody's to count down.
      ...(this.#isOver && { stopped: true, inFlight: this.#underWay }),
      seenAt: toIso(clock.now()),
    };
  }
}
