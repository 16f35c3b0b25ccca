import type { INestApplicationContext } from '@nestjs/common';
import { Clock } from 'nestjs-maintenance';

/**
 * Shortens all timers of 5 s to 20 ms, until `jest.restoreAllMocks()`: the timeout of the functions of an application.
 * The storage has to be in memory, since its timeout is shortened too.
 *
 * @returns the delays of all timers that were started since, as they would have been
 */
export function shortenTimers(app: INestApplicationContext): number[] {
  const clock = app.get(Clock, { strict: false });
  const wake = clock.wake.bind(clock);
  const delays: number[] = [];
  jest.spyOn(clock, 'wake').mockImplementation((callback, delay) => {
    delays.push(delay);
    return wake(callback, delay === 5_000 ? 20 : delay);
  });
  return delays;
}
