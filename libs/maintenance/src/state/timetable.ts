import { endOf, isActiveAt, isPlannedAt, startOf, type StoredWindow } from './maintenance-window.js';

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
      this.#active = this.#windows.filter((window) => isActiveAt(window, now));
      this.#from = now;
      this.#until = this.nextBoundary(now);
    }
    return this.#active;
  }

  /** The windows still to come, the nearest first. */
  plannedAt(now: number): StoredWindow[] {
    return this.#windows.filter((window) => isPlannedAt(window, now)).sort((a, b) => startOf(a) - startOf(b));
  }

  /** The first moment after `now` at which a window starts or ends; `Infinity` if there is none. */
  nextBoundary(now: number): number {
    let next = Infinity;
    for (const window of this.#windows) {
      for (const moment of [startOf(window), endOf(window)]) if (moment > now && moment < next) next = moment;
    }
    return next;
  }

  /** Whether any window is open or to come, at whatever moment: `false` spares the question of the time. */
  get isEmpty(): boolean {
    return this.#windows.length === 0;
  }
}
