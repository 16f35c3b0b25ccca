import { randomUUID } from 'node:crypto';
import { constants, fsync } from 'node:fs';
import { chown, copyFile, link, mkdir, open, readdir, rename, rm, stat, type FileHandle } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { toIso } from '../../utils/dates.js';
import { getErrorCode, isRoot, nullIfMissing } from './file-errors.js';

const TEMPORARY_SUFFIX_PATTERN = /^\.[\da-f]{8}(?:-[\da-f]{4}){3}-[\da-f]{12}\.tmp$/;

export interface ReplaceOptions {
  /** Survive a power cut. */
  durable: boolean;
  /** Called when only the rename is left to do; what it throws prevents it. */
  beforeRename?: (temporary: string) => Promise<void>;
}

/**
 * Replaces a file, or makes it: readers see the old content or the new, never a part. An existing file keeps its mode
 * and, as far as this user may, its owner; a new one is for its owner alone, and where root makes it that is the
 * folder's owner, so that a command run as root does not lock the application out.
 */
export async function replaceFile(path: string, bytes: Buffer, options: ReplaceOptions): Promise<void> {
  // Not write-file-atomic: on a full disk it publishes what fits, because it calls write(2) once and ignores how much
  // that wrote; its temporary names repeat between containers, where processes have the same pid; and it offers no hook
  // between its fsync and its rename.
  const temporary = `${path}.${randomUUID()}.tmp`;
  try {
    const file = await open(temporary, 'wx', 0o600);
    try {
      await file.writeFile(bytes);
      await copyOwnerAndMode(file, path);
      if (options.durable) await sync(file);
    } finally {
      await file.close();
    }
    await options.beforeRename?.(temporary);
    await rename(temporary, path);
  } catch (error) {
    await rm(temporary, { force: true }).catch(() => undefined);
    throw error;
  }
  if (options.durable) await syncFolder(dirname(path));
}

/**
 * Keeps what a file holds under another name beside it, before it is replaced.
 *
 * @returns that name: `<file>.corrupt-<time>`
 */
export async function keepCorruptCopy(path: string): Promise<string> {
  const kept = `${path}.corrupt-${toIso(Date.now()).replace(/[-:.]/g, '')}`;
  try {
    await link(path, kept);
  } catch (error) {
    if (getErrorCode(error) === 'EEXIST') return keepCorruptCopy(path); // within the same millisecond
    // Not every file system has hard links, and Linux allows none to the file of another user.
    await copyFile(path, kept, constants.COPYFILE_EXCL);
  }
  return kept;
}

/** Temporary files of {@link replaceFile} for this path: of writers at work, or of writers that were killed. */
export async function findTemporaryFiles(path: string): Promise<string[]> {
  const folder = dirname(path);
  const name = basename(path);
  const entries = await readdir(folder);
  return entries
    .filter((entry) => entry.startsWith(name) && TEMPORARY_SUFFIX_PATTERN.test(entry.slice(name.length)))
    .map((entry) => join(folder, entry));
}

/**
 * Makes a folder in one that exists: a path that was mistyped makes none. What root makes belongs to the owner of the
 * folder that it is in.
 */
export async function makeFolder(path: string): Promise<void> {
  if (await nullIfMissing(stat(path))) return;
  const parent = dirname(path);
  try {
    await mkdir(path);
  } catch (error) {
    if (getErrorCode(error) === 'EEXIST') return; // another process was faster
    throw error;
  }
  if (isRoot()) {
    const { uid, gid } = await stat(parent);
    await chown(path, uid, gid);
  }
  await syncFolder(parent);
}

async function copyOwnerAndMode(file: FileHandle, path: string): Promise<void> {
  const old = await nullIfMissing(stat(path));
  if (old) {
    await chownTo(file, old);
    await file.chmod(old.mode & 0o777);
  } else if (isRoot()) {
    await chownTo(file, await stat(dirname(path)));
  }
}

async function chownTo(file: FileHandle, owner: { uid: number; gid: number }): Promise<void> {
  const own = await file.stat();
  if (own.uid === owner.uid && own.gid === owner.gid) return;
  if (await ignoreEperm(file.chown(owner.uid, owner.gid))) return;
  // Only root may give a file away. Whoever could read the old one as a member of its group still can.
  if (own.gid !== owner.gid) await ignoreEperm(file.chown(own.uid, owner.gid));
}

async function ignoreEperm(change: Promise<void>): Promise<boolean> {
  try {
    await change;
    return true;
  } catch (error) {
    if (getErrorCode(error) === 'EPERM') return false;
    throw error;
  }
}

/**
 * Flushes what was written to the disk. Not with FileHandle's own `sync`, which file systems that replace `node:fs` leave
 * out (Yarn's Plug'n'Play throws "Method not implemented").
 */
async function sync({ fd }: FileHandle): Promise<void> {
  await promisify(fsync)(fd);
}

// Some file systems have nothing to sync in a folder, and say so with an error.
const FOLDER_SYNC_UNSUPPORTED_CODES = new Set(['EINVAL', 'ENOTSUP', 'ENOSYS']);

async function syncFolder(path: string): Promise<void> {
  if (process.platform === 'win32') return; // a folder can't be opened there
  const folder = await open(path, 'r');
  try {
    await sync(folder);
  } catch (error) {
    if (!FOLDER_SYNC_UNSUPPORTED_CODES.has(getErrorCode(error) ?? '')) throw error;
  } finally {
    await folder.close();
  }
}
