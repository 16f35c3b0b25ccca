import type { Clock } from '../utils/clock.js';
import type { Situation } from '../core/state-monitor.js';

/** How long what is over may be kept where nothing else comes, in milliseconds. */
const LOOK_AGAIN = 5_000;

/** Something that was let in: a request, a message, a job. */
export interface Work {
  /** For people, with nothing of the caller's in it: `GET /orders/:id`. Asked for only where it is shown. */
  readonly name: string;
  /** Whether it goes on until somebody ends it, as server-sent events do: nobody waits for that. */
  readonly isStream: boolean;
  /** Whether something that was not yet so at `before` closes the way by which it was let in. */
  isClosedSince(before: Situation): boolean;
  /** Finds out whether it is over, and ends it then. Only of work that nobody ends as soon as it is over. */
  look?(): void;
  /** Somebody waits for it: from now on it ends as soon as it is over. */
  hold?(): void;
}

/** A piece of work that has begun, and what held then. */
export interface Begun {
  /** Its place among all that has begun; -1: it has ended. */
  index: number;
  readonly work: Work;
  /** Milliseconds since the epoch. */
  readonly since: number;
  readonly before: Situation;
}

/** Work of one kind that windows wait for. */
export interface HeldWork {
  name: string;
  count: number;
  /** How long the oldest has been under way, in milliseconds. */
  oldest: number;
}

/**
 * The work that is under way in this process. Once a window opens, what was let in before and would be refused now is *held*: the
 * window waits for it, and for nothing that begins later.
 */
export class InFlight {
  readonly #begun: Begun[] = [];
  /** The place of what is looked at next. */
  #next = 0;
  /** What is held, and what of it is a stream: found out once, as thousands may be done at the same moment. */
  readonly #held = new Set<Begun>();
  readonly #streams = new Set<Begun>();
  #reviewed: Situation | null = null;
  #isAwaited = false;
  readonly #uncounted = new Set<string>();
  #listener: () => void = () => undefined;

  /** @param situation - what holds now */
  constructor(
    private readonly clock: Clock,
    private readonly situation: () => Situation,
  ) {}

  /** Notes that work begins. Whoever calls this also calls {@link end}. */
  begin(work: Work): Begun {
    // Two for each that comes: more than come, so that what is over does not pile up.
    this.#look(2);
    const begun = { index: this.#begun.length, work, since: this.clock.now(), before: this.situation() };
    this.#begun.push(begun);
    if (work.look) this.#lookLater();
    return begun;
  }

  /** Notes that work is done, however it came out. */
  end(begun: Begun): void {
    const { index } = begun;
    if (index === -1) return;
    begun.index = -1;
    const last = this.#begun.pop()!;
    if (last !== begun) {
      this.#begun[index] = last;
      last.index = index;
    }
    this.#streams.delete(begun);
    if (this.#held.delete(begun)) this.#listener();
  }

  /** Notes that work has turned out to be a stream. */
  turned(begun: Begun): void {
    if (!this.#held.has(begun)) return;
    this.#streams.add(begun);
    this.#listener();
  }

  /**
   * Notes that some work can't be seen here, so that no drain counts this instance as drained.
   *
   * @param work - which work and why, for people, as a fragment: `HTTP requests, as the adapter "foo" is not known`
   */
  cannotCount(work: string): void {
    if (this.#uncounted.has(work)) return;
    this.#uncounted.add(work);
    this.#listener();
  }

  /** The work that can't be seen here. */
  get uncounted(): string[] {
    return [...this.#uncounted];
  }

  /** Calls back whenever held work is done, or is not waited for any more. */
  listen(listener: () => void): void {
    this.#listener = listener;
  }

  /** Finds out anew what is held. To be called when a window has opened, ended or changed. */
  review(): void {
    const now = this.situation();
    this.#reviewed = now;
    this.#held.clear();
    this.#streams.clear();
    this.#lookAtAll();
    if (!(now.forced ?? now.active.length > 0)) return;
    for (const begun of [...this.#begun]) {
      if (!begun.work.isClosedSince(begun.before)) continue;
      this.#held.add(begun);
      // What is found to be answered by then is no stream any more.
      begun.work.hold?.();
      if (begun.work.isStream) this.#streams.add(begun);
    }
  }

  /** Whether something has opened or ended since the last review, of which nobody has told yet. */
  get isOutdated(): boolean {
    return this.#reviewed !== this.situation();
  }

  /** What is held: streams apart. */
  get counts(): { inFlight: number; streams: number } {
    const streams = this.#streams.size;
    return { inFlight: this.#held.size - streams, streams };
  }

  /** How much work is under way, held or not, without streams. */
  get underWay(): number {
    this.#lookAtAll();
    let count = 0;
    for (const { work } of this.#begun) if (!work.isStream) count++;
    return count;
  }

  /** The kinds of work that hold it up, those with the oldest first. */
  longest(limit: number): HeldWork[] {
    const now = this.clock.now();
    const kinds = new Map<string, HeldWork>();
    for (const begun of this.#held) {
      if (this.#streams.has(begun)) continue;
      const { name } = begun.work;
      const kind = kinds.get(name) ?? { name, count: 0, oldest: 0 };
      kinds.set(name, { name, count: kind.count + 1, oldest: Math.max(kind.oldest, now - begun.since) });
    }
    return [...kinds.values()].sort((a, b) => b.oldest - a.oldest).slice(0, limit);
  }

  /** Looks at the next ones, in turn. */
  #look(count: number): void {
    for (let left = Math.min(count, this.#begun.length); left > 0 && this.#begun.length > 0; left--) {
      if (this.#next >= this.#begun.length) this.#next = 0;
      const begun = this.#begun[this.#next]!;
      begun.work.look?.();
      if (begun.index !== -1) this.#next++;
    }
  }

  // After the last of a burst nobody comes, and a request holds its body.
  #lookLater(): void {
    if (this.#isAwaited) return;
    this.#isAwaited = true;
    this.clock.wake(() => {
      this.#isAwaited = false;
      this.#lookAtAll();
      if (this.#begun.length > 0) this.#lookLater();
    }, LOOK_AGAIN);
  }

  #lookAtAll(): void {
    for (const { work } of [...this.#begun]) work.look?.();
  }
}
