/**
 * Tells the time and schedules wake-ups. The module injects it by this token, so that a test can move time instead of
 * waiting for it.
 *
 * @example
 * ```ts
 * Test.createTestingModule({ imports: [MaintenanceModule.forRoot()] })
 *   .overrideProvider(Clock)
 *   .useValue(new ManualClock('2030-12-01T02:00Z')); // from nestjs-maintenance/testing
 * ```
 */
export abstract class Clock {
  /** Returns the time in milliseconds since the epoch. */
  abstract now(): number;

  /**
   * Calls back once after `delay` milliseconds. The call may come early: check the clock, and wait again if needed.
   *
   * @param callback - called once
   * @param delay - milliseconds
   *
   * @returns a function that cancels the call
   */
  abstract wake(callback: () => void, delay: number): () => void;
}

// With a longer delay, setTimeout fires at once.
const MAX_TIMEOUT_MS = 2 ** 31 - 1;

/** Uses the clock of the system. Its timers keep no process alive. */
export class SystemClock extends Clock {
  now(): number {
    return Date.now();
  }

  wake(callback: () => void, delay: number): () => void {
    const timer = setTimeout(callback, Math.min(Math.max(delay, 0), MAX_TIMEOUT_MS));
    timer.unref();
    return () => clearTimeout(timer);
  }
}
