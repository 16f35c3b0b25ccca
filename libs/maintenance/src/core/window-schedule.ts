import { getStart, type StoredWindow } from './maintenance-window.js';
import { nextOccurrence, findNextBoundary, currentOccurrence } from './recurrence.js';

/**
 * Returns the active and the planned windows at any moment. It compares times, without timers, and caches the active
 * windows until the next start or end of a window.
 */
export class WindowSchedule {
  readonly #windows: readonly StoredWindow[];
  #active: readonly StoredWindow[] = [];
  // The cached answer is valid in [from, until), which is empty at first.
  #validFrom = Infinity;
  #validUntil = -Infinity;

  constructor(windows: readonly StoredWindow[]) {
    this.#windows = windows;
    if (windows.length === 0) {
      this.#validFrom = -Infinity;
      this.#validUntil = Infinity;
    }
  }

  /** Returns the windows active at `now` (milliseconds since the epoch), as the same array until they change. */
  getActiveAt(now: number): readonly StoredWindow[] {
    if (now < this.#validFrom || now >= this.#validUntil) {
      this.#active = this.#windows.flatMap((window) => currentOccurrence(window, now) ?? []);
      this.#validFrom = now;
      this.#validUntil = this.findNextBoundary(now);
    }
    return this.#active;
  }

  /** Returns the planned windows in the order of their start; of a recurring one, its next occurrence. */
  getPlannedAt(now: number): StoredWindow[] {
    return this.#windows
      .flatMap((window) => nextOccurrence(window, now) ?? [])
      .sort((a, b) => getStart(a) - getStart(b));
  }

  /** Returns the first moment after `now` at which a window starts or ends; `Infinity` if there is none. */
  findNextBoundary(now: number): number {
    return Math.min(...this.#windows.map((window) => findNextBoundary(window, now)));
  }

  /** Whether there are no windows at all, so that callers need not read the clock. */
  get isEmpty(): boolean {
    return this.#windows.length === 0;
  }
}
