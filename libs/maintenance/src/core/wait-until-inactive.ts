import type { Observable } from 'rxjs';

export interface WaitUntilInactiveOptions {
  isActive: () => boolean;
  /** Emits whenever the answer may be another one. */
  changes: Observable<unknown>;
  /** Each of them ends the waiting. */
  signals: readonly AbortSignal[];
}

/** Resolves as soon as nothing is active; rejects with the reason of the first signal that aborts before. */
export function waitUntilInactive({ isActive, changes, signals }: WaitUntilInactiveOptions): Promise<void> {
  return new Promise((resolve, reject) => {
    const aborted = signals.find((signal) => signal.aborted);
    if (aborted) return reject(aborted.reason as Error);
    if (!isActive()) return resolve();
    // Neither the clock's timers nor the watch of a file keep a process alive, and this may be all that it is there for.
    const hold = setInterval(() => undefined, 2 ** 30);
    const stop = (): void => {
      clearInterval(hold);
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
