import type { Clock } from '../utils/clock.js';
import type { BlockingWork } from '../core/instance-report.js';
import type { MonitorSnapshot } from '../core/state-monitor.js';

/** How long what is over may be kept where nothing else comes, in milliseconds. */
const SWEEP_INTERVAL_MS = 5_000;

/** Something that was let in: a request, a message, a job. */
export interface InFlightWork {
  /** For people, with nothing of the caller's in it: `GET /orders/:id`. Asked for only where it is shown. */
  readonly name: string;
  /** Whether it goes on until somebody ends it, as server-sent events do: nobody waits for that. */
  readonly isStream: boolean;
  /** Whether something that was not yet so at `before` closes the way by which it was let in. */
  becameRefusedSince(before: MonitorSnapshot): boolean;
  /** Finds out whether it is over, and ends it then. Only of work that nobody ends as soon as it is over. */
  checkFinished?(): void;
  /** Somebody waits for it: from now on it ends as soon as it is over. */
  watchForCompletion?(): void;
}

/** A piece of work that has begun, and what held then. */
export interface InFlightEntry {
  /** Its place among all that has begun; -1: it has ended. */
  index: number;
  readonly work: InFlightWork;
  /** Milliseconds since the epoch. */
  readonly since: number;
  readonly before: MonitorSnapshot;
}

/**
 * The work that is under way in this process. Once a window opens, what was let in before and would be refused now is *held*: the
 * window waits for it, and for nothing that begins later.
 */
export class InFlightTracker {
  readonly #entries: InFlightEntry[] = [];
  /** The place of what is looked at next. */
  #nextIndex = 0;
  /** What is held, and what of it is a stream: found out once, as thousands may be done at the same moment. */
  readonly #blocking = new Set<InFlightEntry>();
  readonly #streams = new Set<InFlightEntry>();
  #refreshedFor: MonitorSnapshot | null = null;
  #isSweepScheduled = false;
  readonly #uncounted = new Set<string>();
  #listener: () => void = () => undefined;

  /** @param getSnapshot - what holds now */
  constructor(
    private readonly clock: Clock,
    private readonly getSnapshot: () => MonitorSnapshot,
  ) {}

  /** Notes that work begins. Whoever calls this also calls {@link end}. */
  begin(work: InFlightWork): InFlightEntry {
    // Two for each that comes: more than come, so that what is over does not pile up.
    this.#checkNext(2);
    const begun = { index: this.#entries.length, work, since: this.clock.now(), before: this.getSnapshot() };
    this.#entries.push(begun);
    if (work.checkFinished) this.#scheduleSweep();
    return begun;
  }

  /** Notes that work is done, however it came out. */
  end(begun: InFlightEntry): void {
    const { index } = begun;
    if (index === -1) return;
    begun.index = -1;
    const last = this.#entries.pop()!;
    if (last !== begun) {
      this.#entries[index] = last;
      last.index = index;
    }
    this.#streams.delete(begun);
    if (this.#blocking.delete(begun)) this.#listener();
  }

  /** Notes that work has turned out to be a stream. */
  markAsStream(begun: InFlightEntry): void {
    if (!this.#blocking.has(begun)) return;
    this.#streams.add(begun);
    this.#listener();
  }

  /**
   * Notes that some work can't be seen here, so that no drain counts this instance as drained.
   *
   * @param work - which work and why, for people, as a fragment: `HTTP requests, as the adapter "foo" is not known`
   */
  addUncounted(work: string): void {
    if (this.#uncounted.has(work)) return;
    this.#uncounted.add(work);
    this.#listener();
  }

  /** The work that can't be seen here. */
  get uncounted(): string[] {
    return [...this.#uncounted];
  }

  /** Calls back whenever held work is done, or is not waited for any more. */
  onChange(listener: () => void): void {
    this.#listener = listener;
  }

  /** Finds out anew what is held. To be called when a window has opened, ended or changed. */
  refresh(): void {
    const now = this.getSnapshot();
    this.#refreshedFor = now;
    this.#blocking.clear();
    this.#streams.clear();
    this.#checkAll();
    if (!(now.forced ?? now.active.length > 0)) return;
    for (const begun of [...this.#entries]) {
      if (!begun.work.becameRefusedSince(begun.before)) continue;
      this.#blocking.add(begun);
      // What is found to be answered by then is no stream any more.
      begun.work.watchForCompletion?.();
      if (begun.work.isStream) this.#streams.add(begun);
    }
  }

  /** Whether something has opened or ended since the last review, of which nobody has told yet. */
  get isOutdated(): boolean {
    return this.#refreshedFor !== this.getSnapshot();
  }

  /** What is held: streams apart. */
  get counts(): { inFlight: number; streams: number } {
    const streams = this.#streams.size;
    return { inFlight: this.#blocking.size - streams, streams };
  }

  /** How much work is under way, held or not, without streams. */
  get activeCount(): number {
    this.#checkAll();
    let count = 0;
    for (const { work } of this.#entries) if (!work.isStream) count++;
    return count;
  }

  /** The kinds of work that hold it up, those with the oldest first. */
  getLongestRunning(limit: number): BlockingWork[] {
    const now = this.clock.now();
    const kinds = new Map<string, BlockingWork>();
    for (const begun of this.#blocking) {
      if (this.#streams.has(begun)) continue;
      const { name } = begun.work;
      const kind = kinds.get(name) ?? { name, count: 0, oldest: 0 };
      kinds.set(name, { name, count: kind.count + 1, oldest: Math.max(kind.oldest, now - begun.since) });
    }
    return [...kinds.values()].sort((a, b) => b.oldest - a.oldest).slice(0, limit);
  }

  /** Looks at the next ones, in turn. */
  #checkNext(count: number): void {
    for (let left = Math.min(count, this.#entries.length); left > 0 && this.#entries.length > 0; left--) {
      if (this.#nextIndex >= this.#entries.length) this.#nextIndex = 0;
      const begun = this.#entries[this.#nextIndex]!;
      begun.work.checkFinished?.();
      if (begun.index !== -1) this.#nextIndex++;
    }
  }

  // After the last of a burst nobody comes, and a request holds its body.
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
