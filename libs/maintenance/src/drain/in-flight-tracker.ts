import type { Clock } from '../utils/clock.js';
import type { BlockingWork } from '../core/instance-report.js';
import type { MonitorSnapshot } from '../core/state-monitor.js';

/** The longest time for which finished work is kept when no new work arrives, in milliseconds. */
const SWEEP_INTERVAL_MS = 5_000;

/** Admitted work: a request, a message, an operation or a job. */
export interface InFlightWork {
  /**
   * The name for reports, such as `GET /orders/:id`. Never contains values that the caller sent. Read only when it is
   * shown.
   */
  readonly name: string;
  /**
   * Whether it lasts until the client or the server ends it, such as server-sent events. A drain does not wait for
   * streams.
   */
  readonly isStream: boolean;
  /** Whether a window that has started since `before` refuses it now. */
  becameRefusedSince(before: MonitorSnapshot): boolean;
  /** Checks whether it is finished, and ends it then. Only for work that is not ended as soon as it is finished. */
  checkFinished?(): void;
  /** Registers the listeners that end it as soon as it is finished. Called when a window has started to wait for it. */
  watchForCompletion?(): void;
}

/** Tracked work, with the state at its start. */
export interface InFlightEntry {
  /** The index among all entries; -1 once it has ended. */
  index: number;
  readonly work: InFlightWork;
  /** The start, in milliseconds since the epoch. */
  readonly since: number;
  /** The state that was applied at the start. */
  readonly before: MonitorSnapshot;
}

/**
 * Tracks the work of this instance. When a window starts, work that was admitted before and would be refused now is
 * *blocking*: a drain waits for it, and never for work that begins later.
 *
 * See docs/internals/in-flight.md for why this is more than a counter.
 */
export class InFlightTracker {
  readonly #entries: InFlightEntry[] = [];
  /** The index of the entry to check next. */
  #nextIndex = 0;
  // Determined once for each change: thousands of requests may finish in the same moment.
  readonly #blocking = new Set<InFlightEntry>();
  readonly #streams = new Set<InFlightEntry>();
  #refreshedFor: MonitorSnapshot | null = null;
  #isSweepScheduled = false;
  readonly #uncounted = new Set<string>();
  #listener: () => void = () => undefined;

  /** @param getSnapshot - returns the state that is applied at `now`, the current time */
  constructor(
    private readonly clock: Clock,
    private readonly getSnapshot: (now?: number) => MonitorSnapshot,
  ) {}

  /**
   * Begins to track work. The caller has to call {@link end} with the entry.
   *
   * @param now - the current time, where the caller has read the clock already
   */
  begin(work: InFlightWork, now = this.clock.now()): InFlightEntry {
    // Check two entries for each new one, so that finished entries are removed faster than new ones arrive.
    this.#checkNext(2);
    const entry = { index: this.#entries.length, work, since: now, before: this.getSnapshot(now) };
    this.#entries.push(entry);
    if (work.checkFinished) this.#scheduleSweep();
    return entry;
  }

  /** Stops tracking work, whether it succeeded or failed. Does nothing if it was ended before. */
  end(entry: InFlightEntry): void {
    const { index } = entry;
    if (index === -1) return;
    entry.index = -1;
    const last = this.#entries.pop()!;
    if (last !== entry) {
      this.#entries[index] = last;
      last.index = index;
    }
    this.#streams.delete(entry);
    if (this.#blocking.delete(entry)) this.#listener();
  }

  /** Marks work that has turned out to be a stream, so that a drain no longer waits for it. */
  markAsStream(entry: InFlightEntry): void {
    if (!this.#blocking.has(entry)) return;
    this.#streams.add(entry);
    this.#listener();
  }

  /**
   * Records that some work can't be counted here, so that no drain takes this instance for drained.
   *
   * @param work - the work and the reason, as a sentence fragment: `HTTP requests, as the adapter "foo" is not known`
   */
  addUncounted(work: string): void {
    if (this.#uncounted.has(work)) return;
    this.#uncounted.add(work);
    this.#listener();
  }

  /** Returns the work that can't be counted here. */
  get uncounted(): string[] {
    return [...this.#uncounted];
  }

  /** Sets the function that is called when the blocking work or the uncounted work changes. */
  onChange(listener: () => void): void {
    this.#listener = listener;
  }

  /** Determines the blocking work again. Has to be called when a window has started, ended or changed. */
  refresh(): void {
    const now = this.getSnapshot();
    this.#refreshedFor = now;
    this.#blocking.clear();
    this.#streams.clear();
    this.#checkAll();
    if (!(now.forced ?? now.active.length > 0)) return;
    for (const entry of [...this.#entries]) {
      if (!entry.work.becameRefusedSince(entry.before)) continue;
      this.#blocking.add(entry);
      // After `watchForCompletion`, because a request whose response is finished is no longer a stream.
      entry.work.watchForCompletion?.();
      if (entry.work.isStream) this.#streams.add(entry);
    }
  }

  /** Whether a window has started or ended since the last {@link refresh}. */
  get isOutdated(): boolean {
    return this.#refreshedFor !== this.getSnapshot();
  }

  /** Counts the blocking work and, separately, the streams. */
  get counts(): { inFlight: number; streams: number } {
    const streams = this.#streams.size;
    return { inFlight: this.#blocking.size - streams, streams };
  }

  /** Counts all work in flight, blocking or not, without streams. */
  get activeCount(): number {
    this.#checkAll();
    let count = 0;
    for (const { work } of this.#entries) if (!work.isStream) count++;
    return count;
  }

  /** Returns the kinds of blocking work, those with the oldest call first. */
  getLongestRunning(limit: number): BlockingWork[] {
    const now = this.clock.now();
    const kinds = new Map<string, BlockingWork>();
    for (const entry of this.#blocking) {
      if (this.#streams.has(entry)) continue;
      const { name } = entry.work;
      const kind = kinds.get(name) ?? { name, count: 0, oldest: 0 };
      kinds.set(name, { name, count: kind.count + 1, oldest: Math.max(kind.oldest, now - entry.since) });
    }
    return [...kinds.values()].sort((a, b) => b.oldest - a.oldest).slice(0, limit);
  }

  /** Checks the next `count` entries, in turn. */
  #checkNext(count: number): void {
    for (
      let remaining = Math.min(count, this.#entries.length);
      remaining > 0 && this.#entries.length > 0;
      remaining--
    ) {
      if (this.#nextIndex >= this.#entries.length) this.#nextIndex = 0;
      const entry = this.#entries[this.#nextIndex]!;
      entry.work.checkFinished?.();
      if (entry.index !== -1) this.#nextIndex++;
    }
  }

  // After a burst, no new work would trigger the cleanup, and each request keeps its body in memory.
  #scheduleSweep(): void {
    if (this.#isSweepScheduled) return;
    this.#isSweepScheduled = true;
    this.clock.wake(() => {
      this.#isSweepScheduled = false;
      this.#checkAll();
      if (this.#entries.length > 0) this.#scheduleSweep();
    }, SWEEP_INTERVAL_MS);
  }

  #checkAll(): void {
    for (const { work } of [...this.#entries]) work.checkFinished?.();
  }
}
