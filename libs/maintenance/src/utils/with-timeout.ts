import type { Clock } from './clock.js';

/**
 * Waits for work, but not for ever. What the work throws at once is a rejection too.
 *
 * @param limit - milliseconds
 */
export function withTimeout<T>(work: () => T | Promise<T>, clock: Clock, limit: number): Promise<T> {
  return new Promise((resolve, reject) => {
    const cancel = clock.wake(() => reject(new Error(`no answer within ${limit / 1000} s`)), limit);
    const started = (async () => work())();
    started.then(resolve, reject).finally(cancel);
  });
}
