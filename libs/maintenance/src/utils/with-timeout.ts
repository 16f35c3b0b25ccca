import type { Clock } from './clock.js';

/** How long a function of the application may take before its result is given up, in milliseconds. */
export const CALLBACK_TIMEOUT_MS = 5_000;

/**
 * Runs `work` with a time limit. An error that it throws synchronously becomes a rejection.
 *
 * @param work - the function to run; it is not aborted at the limit
 * @param clock - measures the limit
 * @param limit - milliseconds
 * @throws Error where `work` has not settled in time
 */
export function withTimeout<T>(work: () => T | Promise<T>, clock: Clock, limit: number): Promise<T> {
  return new Promise((resolve, reject) => {
    const cancel = clock.wake(() => reject(new Error(`no answer within ${limit / 1000} s`)), limit);
    const started = (async () => work())();
    started.then(resolve, reject).finally(cancel);
  });
}
