/**
 * The source of the present moment, and of wake-ups. The module takes it from the provider of this token, so that a test can
 * move time instead of waiting for it.
 *
 * @example
 * ```ts
 * Test.createTestingModule({ imports: [MaintenanceModule.forRoot()] })
 *   .overrideProvider(Clock)
 *   .useValue(new ManualClock('2030-12-01T02:00Z')); // from nestjs-maintenance/testing
 * ```
 */
export abstract class Clock {
  /** Milliseconds since the epoch. */
  abstract now(): number;

  /**
   * Calls back once, after at least `delay` milliseconds or earlier: who is woken asks the clock and goes on waiting if need be.
   *
   * @returns a function that cancels the call
   */
  abstract wake(callback: () => void, delay: number): () => void;
}

// A longer delay makes setTimeout fire at once.
const MAX_TIMEOUT_MS = 2 ** 31 - 1;

/** The system's clock. Its timers keep no process alive. */
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
