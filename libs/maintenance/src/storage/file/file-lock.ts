import { mkdir, rmdir, stat, utimes } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import { getErrorCode } from '../error-code.js';
import { nullIfMissing } from './file-errors.js';

/** A lock that did not change for so many milliseconds is removed: its holder was killed or is suspended. */
const STALE_LOCK_MS = 2_000;
/** The holder changes its lock as often, so that a slow write keeps it. */
const RENEWAL_INTERVAL_MS = 500;

/**
 * Acquires the lock of a file, between processes and within one.
 *
 * The lock only queues writers; correctness does not depend on it. After the deadline the caller continues without it,
 * so that no lock can prevent a write. Two processes that find the same lock stale can both acquire it.
 *
 * Waiting processes measure on their own monotonic clock how long a lock has not changed: the time of day may jump.
 *
 * @param path - the file; the lock is the folder `<path>.lock`
 * @param deadline - when to continue without the lock, on the clock of `performance.now()`
 * @param beforeWaiting - called before each wait; throw to give up
 * @returns a function that releases the lock and never rejects
 * @throws the error of the file system if the lock can't be created
 */
export async function lockFile(
  path: string,
  deadline: number,
  beforeWaiting: () => Promise<void>,
): Promise<() => Promise<void>> {
  // Not proper-lockfile, which is no longer maintained, replaces process.cwd and fs.close, and compares the time of the
  // lock with the time of day. Other packages poll twice a second, or create the lock in two steps.
  const lock = `${path}.lock`;
  let last: string | undefined;
  let lastChangeAt = 0;
  while (!(await createLock(lock))) {
    await beforeWaiting();
    const now = performance.now();
    if (now >= deadline) return async () => undefined;
    const current = await identifyLock(lock);
    if (current !== last) {
      last = current;
      lastChangeAt = now;
    } else if (now - lastChangeAt >= STALE_LOCK_MS) {
      await removeLock(lock);
    }
    await sleep(5 + Math.random() * 20);
  }
  return keepLock(lock);
}

async function createLock(lock: string): Promise<boolean> {
  try {
    await mkdir(lock);
    return true;
  } catch (error) {
    if (getErrorCode(error) === 'EEXIST') return false;
    throw error;
  }
}

/** Returns a text that changes with each renewal, and with each holder. */
async function identifyLock(lock: string): Promise<string | undefined> {
  const stats = await nullIfMissing(stat(lock, { bigint: true }));
  return stats ? `${stats.ino} ${stats.mtimeNs}` : undefined;
}

/** Renews a lock until the returned function releases it. */
function keepLock(lock: string): () => Promise<void> {
  let renewedAt = performance.now();
  // This process was suspended: the lock may belong to another one by now.
  const isLost = (): boolean => performance.now() - renewedAt >= STALE_LOCK_MS;
  const renew = async (): Promise<void> => {
    if (isLost()) return;
    const now = performance.now();
    await utimes(lock, new Date(), new Date());
    renewedAt = now;
  };
  const renewal = setInterval(() => void renew().catch(() => undefined), RENEWAL_INTERVAL_MS);
  renewal.unref();
  return async () => {
    clearInterval(renewal);
    if (!isLost()) await removeLock(lock);
  };
}

/** Removes a lock. One that can't be removed is ignored: writers continue without it after their deadline. */
async function removeLock(lock: string): Promise<void> {
  await rmdir(lock).catch(() => undefined);
}
