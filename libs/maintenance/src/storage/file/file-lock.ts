import { setTimeout as sleep } from 'node:timers/promises';
import { MaintenanceStorageError } from '../../errors/maintenance-storage.error.js';
import { getErrorCode } from '../error-code.js';

// The minimum that proper-lockfile allows: breaking a lock too early costs its holder a retry, a longer wait costs an
// operator time.
const STALE_LOCK_MS = 2000;

/** The lock of a file, held by this process. */
export interface FileLock {
  /** Whether another process is known to have taken the lock over. */
  isLost: boolean;
  /** Releases the lock. Never rejects. */
  release(): Promise<void>;
}

/**
 * Acquires the lock of a file, between processes and within one.
 *
 * The lock only queues writers; correctness does not depend on it. A lock whose holder was suspended for two seconds is
 * broken, and proper-lockfile can let two processes acquire it at once.
 *
 * @param path - the file; the lock is the folder `<path>.lock`
 * @param deadline - when to give up, on the clock of `performance.now()`
 * @param beforeWaiting - called before each wait; throw to give up
 * @throws {@link MaintenanceStorageError} `unavailable` after the deadline
 */
export async function lockFile(path: string, deadline: number, beforeWaiting: () => Promise<void>): Promise<FileLock> {
  // Loaded on the first write: the package installs signal handlers and replaces process.cwd and fs.close.
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
      // A lock that can't be released was taken over, or will be stale soon.
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
  // Another process removed the lock as stale while proper-lockfile was inspecting it.
  return getErrorCode(error) === 'ENOENT' && (error as NodeJS.ErrnoException).syscall !== 'mkdir';
}

function createLockedError(lockfilePath: string): MaintenanceStorageError {
  return new MaintenanceStorageError(
    'unavailable',
    `Timed out waiting for the lock ${lockfilePath}, held by another process. Nothing was written. ` +
      'Try again; if no process is writing, remove that folder.',
  );
}
