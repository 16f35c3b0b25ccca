import { Clock } from '../utils/clock.js';

/**
 * A clock that stands still until a test moves it. Who asked to be woken is woken on the way.
 *
 * @example
 * ```ts
 * const clock = new ManualClock('2030-12-01T00:00Z');
 * const module = await Test.createTestingModule({ imports: [AppModule] }).overrideProvider(Clock).useValue(clock).compile();
 * await clock.moveTo('2030-12-01T02:00Z');
 * ```
 */
export class ManualClock extends Clock {
  #now: number;
  readonly #waiting = new Set<{ at: number; callback: () => void }>();

  /** @param now - ISO 8601, or milliseconds since the epoch */
  constructor(now: string | number) {
    super();
    this.#now = typeof now === 'number' ? now : Date.parse(now);
  }

  now(): number {
    return this.#now;
  }

  wake(callback: () => void, delay: number): () => void {
    const entry = { at: this.#now + Math.max(0, delay), callback };
    this.#waiting.add(entry);
    return () => void this.#waiting.delete(entry);
  }

  /** Moves the clock; wakes in order whoever is due by then, and lets what they start run. */
  async moveTo(now: string | number): Promise<void> {
    const target = typeof now === 'number' ? now : Date.parse(now);
    for (let due = this.#nextDue(target); due; due = this.#nextDue(target)) {
      this.#waiting.delete(due);
      this.#now = Math.max(this.#now, due.at);
      due.callback();
      await flushPromises();
    }
    this.#now = target;
    await flushPromises();
  }

  /** The number of wake-ups that are asked for. */
  get pending(): number {
    return this.#waiting.size;
  }

  #nextDue(until: number): { at: number; callback: () => void } | undefined {
    return [...this.#waiting].filter(({ at }) => at <= until).sort((a, b) => a.at - b.at)[0];
  }
}

/** Resolves when the promises that are ready now have had their turn. */
function flushPromises(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}
