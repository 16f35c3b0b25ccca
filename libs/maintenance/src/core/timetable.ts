import { startOf, type StoredWindow } from './maintenance-window.js';
import { comingAt, nextBoundaryOf, presentAt } from './recurrence.js';

/**
 * Windows laid along the clock. Which of them are open is a comparison with the moment asked for, remembered until the next
 * boundary; nothing here waits for a timer.
 */
export class Timetable {
  readonly #windows: readonly StoredWindow[];
  #active: readonly StoredWindow[] = [];
  // The remembered answer holds in [from, until); empty at first.
  #from = Infinity;
  #until = -Infinity;

  constructor(windows: readonly StoredWindow[]) {
    this.#windows = windows;
    if (windows.length === 0) {
      this.#from = -Infinity;
      this.#until = Infinity;
    }
  }

  /** The windows open at `now` (milliseconds since the epoch). Equal answers are the same array. */
  activeAt(now: number): readonly StoredWindow[] {
    if (now < this.#from || now >= this.#until) {
      this.#active = this.#windows.flatMap((window) => presentAt(window, now) ?? []);
      this.#from = now;
      this.#until = this.nextBoundary(now);
    }
    return this.#active;
  }

  /** The windows still to come, the nearest first; of recurring ones the next occurrence. */
  plannedAt(now: number): StoredWindow[] {
    return this.#windows.flatMap((window) => comingAt(window, now) ?? []).sort((a, b) => startOf(a) - startOf(b));
  }

  /** The first moment after `now` at which a window starts or ends; `Infinity` if there is none. */
  nextBoundary(now: number): number {
    return Math.min(...this.#windows.map((window) => nextBoundaryOf(window, now)));
  }

  /** Whether any window is open or to come, at whatever moment: `false` spares the question of the time. */
  get isEmpty(): boolean {
    return this.#windows.length === 0;
  }
}
