import { Clock } from '../utils/clock.js';

/**
 * Stands still until a test moves it. Wake-ups that become due on the way are called in order.
 *
 * @example
 * ```ts
 * const clock = new ManualClock('2030-12-01T00:00Z');
 * const moduleRef = await Test.createTestingModule({ imports: [AppModule] })
 *   .overrideProvider(Clock)
 *   .useValue(clock)
 *   .compile();
 * await clock.moveTo('2030-12-01T02:00Z');
 * ```
 */
export class ManualClock extends Clock {
  #now: number;
  readonly #waiting = new Set<{ at: number; callback: () => void }>();

  /** @param now - the initial time: ISO 8601, or milliseconds since the epoch */
  constructor(now: string | number) {
    super();
    this.#now = typeof now === 'number' ? now : Date.parse(now);
  }

  /** Returns the time to which the clock was moved, in milliseconds since the epoch. */
  now(): number {
    return this.#now;
  }

  /**
   * Calls back once the clock was moved by `delay` milliseconds.
   *
   * @returns a function that cancels the call
   */
  wake(callback: () => void, delay: number): () => void {
    const entry = { at: this.#now + Math.max(0, delay), callback };
    this.#waiting.add(entry);
    return () => void this.#waiting.delete(entry);
  }

  /**
   * Moves the clock. Calls the wake-ups that are due by then, in order, and lets the promises that they start settle.
   *
   * @param now - the new time: ISO 8601, or milliseconds since the epoch
   */
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

  /** The number of wake-ups that are not due yet. */
  get pending(): number {
    return this.#waiting.size;
  }

  #nextDue(until: number): { at: number; callback: () => void } | undefined {
    return [...this.#waiting].filter(({ at }) => at <= until).sort((a, b) => a.at - b.at)[0];
  }
}

/** Resolves after all promises that are already settled have called their handlers. */
function flushPromises(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}
