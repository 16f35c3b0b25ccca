import { getStart, type StoredWindow } from './maintenance-window.js';
import { nextOccurrence, findNextBoundary, currentOccurrence } from './recurrence.js';

/**
 * Windows laid along the clock. Which of them are open is a comparison with the moment asked for, remembered until the next
 * boundary; nothing here waits for a timer.
 */
export class WindowSchedule {
  readonly #windows: readonly StoredWindow[];
  #active: readonly StoredWindow[] = [];
  // The remembered answer holds in [from, until); empty at first.
  #validFrom = Infinity;
  #validUntil = -Infinity;

  constructor(windows: readonly StoredWindow[]) {
    this.#windows = windows;
    if (windows.length === 0) {
      this.#validFrom = -Infinity;
      this.#validUntil = Infinity;
    }
  }

  /** The windows open at `now` (milliseconds since the epoch). Equal answers are the same array. */
  getActiveAt(now: number): readonly StoredWindow[] {
    if (now < this.#validFrom || now >= this.#validUntil) {
      this.#active = this.#windows.flatMap((window) => currentOccurrence(window, now) ?? []);
      this.#validFrom = now;
      this.#validUntil = this.findNextBoundary(now);
    }
    return this.#active;
  }

  /** The windows still to come, the nearest first; of recurring ones the next occurrence. */
  getPlannedAt(now: number): StoredWindow[] {
    return this.#windows
      .flatMap((window) => nextOccurrence(window, now) ?? [])
      .sort((a, b) => getStart(a) - getStart(b));
  }

  /** The first moment after `now` at which a window starts or ends; `Infinity` if there is none. */
  findNextBoundary(now: number): number {
    return Math.min(...this.#windows.map((window) => findNextBoundary(window, now)));
  }

  /** Whether any window is open or to come, at whatever moment: `false` spares the question of the time. */
  get isEmpty(): boolean {
    return this.#windows.length === 0;
  }
}
