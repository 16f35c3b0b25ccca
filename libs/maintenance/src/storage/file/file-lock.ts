import { setTimeout as sleep } from 'node:timers/promises';
import { getErrorCode } from './file-errors.js';
import { MaintenanceStorageError } from '../../errors/maintenance-storage.error.js';

// Milliseconds, the least that proper-lockfile allows: a lock broken too early costs its holder a retry, a longer wait
// costs an operator time.
const STALE_LOCK_MS = 2000;

export interface FileLock {
  /** Whether the lock is known to have passed to somebody else. */
  isLost: boolean;
  release(): Promise<void>;
}

/**
 * Takes the lock of a file, between processes and within one.
 *
 * It makes writers queue, and is not what keeps them apart: a lock whose holder stood still for two seconds is taken
 * from it, and proper-lockfile has moments in which two processes take it at once. `FileStateStorage` is safe without
 * it.
 *
 * @param deadline - when to give up, on the clock of `performance.now()`
 * @param beforeWaiting - called before each wait; what it throws ends the attempt
 */
export async function lockFile(path: string, deadline: number, beforeWaiting: () => Promise<void>): Promise<FileLock> {
  // On the first write only: loading it installs handlers for signals and replaces process.cwd and fs.close.
  const { lock } = await import('proper-lockfile');
  const lockfilePath = `${path}.lock`;
  const held = { isLost: false };
  const onCompromised = (): void => {
    held.isLost = true;
  };
  for (;;) {
    try {
      const release = await lock(path, {
        lockfilePath,
        realpath: false,
        stale: STALE_LOCK_MS,
        retries: 0,
        onCompromised,
      });
      // A lock that can't be released has become somebody else's, or will be stale soon.
      return Object.assign(held, { release: () => release().catch(() => undefined) });
    } catch (error) {
      if (!isLockTaken(error)) throw error;
    }
    await beforeWaiting();
    if (performance.now() >= deadline) throw createLockedError(lockfilePath);
    await sleep(5 + Math.random() * 20);
  }
}

function isLockTaken(error: unknown): boolean {
  if (getErrorCode(error) === 'ELOCKED') return true;
  // Somebody took the new lock for the stale one that was there before, while proper-lockfile was still looking at it.
  return getErrorCode(error) === 'ENOENT' && (error as NodeJS.ErrnoException).syscall !== 'mkdir';
}

function createLockedError(lockfilePath: string): MaintenanceStorageError {
  return new MaintenanceStorageError(
    'unavailable',
    `another process holds the lock ${lockfilePath} and does not let go. ` +
      'Nothing was written. Try again; if no process is writing, remove that folder.',
  );
}
