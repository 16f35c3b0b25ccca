import type { Observable } from 'rxjs';

/** The options of {@link waitUntilInactive}. */
export interface WaitUntilInactiveOptions {
  isActive: () => boolean;
  /** Emits whenever the answer may have changed. */
  changes: Observable<unknown>;
  /** Each of them aborts the wait. */
  signals: readonly AbortSignal[];
}

/** Resolves when maintenance is off. Rejects with the reason of the first signal that aborts before. */
export function waitUntilInactive({ isActive, changes, signals }: WaitUntilInactiveOptions): Promise<void> {
  return new Promise((resolve, reject) => {
    const aborted = signals.find((signal) => signal.aborted);
    if (aborted) return reject(aborted.reason as Error);
    if (!isActive()) return resolve();
    // Keeps the process alive: the timers of the clock and the watch of a file do not, and there may be no other work.
    const keepAlive = setInterval(() => undefined, 2 ** 30);
    const stop = (): void => {
      clearInterval(keepAlive);
      subscription.unsubscribe();
      signals.forEach((signal) => signal.removeEventListener('abort', abort));
    };
    const abort = ({ target }: Event): void => {
      stop();
      reject((target as AbortSignal).reason as Error);
    };
    const subscription = changes.subscribe(() => {
      if (isActive()) return;
      stop();
      resolve();
    });
    signals.forEach((signal) => signal.addEventListener('abort', abort));
  });
}
