import { randomUUID } from 'node:crypto';
import { constants, fsync } from 'node:fs';
import { chown, copyFile, link, mkdir, open, readdir, rename, rm, stat, type FileHandle } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { toIso } from '../../utils/dates.js';
import { getErrorCode } from '../error-code.js';
import { isRoot, nullIfMissing } from './file-errors.js';

const TEMPORARY_SUFFIX_PATTERN = /^\.[\da-f]{8}(?:-[\da-f]{4}){3}-[\da-f]{12}\.tmp$/;

/** Settings of {@link replaceFile}. */
export interface ReplaceOptions {
  /** Whether the new content survives a power cut once the promise resolves. */
  durable: boolean;
  /** Called just before the rename; throw to prevent it. */
  beforeRename?: (temporary: string) => Promise<void>;
}

/**
 * Replaces or creates a file atomically: readers see the old content or the new, never a part. An existing file keeps
 * its mode and, as far as permitted, its owner. A new one is readable by its owner only; if root creates it, that is
 * the owner of the folder, so that a command run as root does not lock the application out.
 */
export async function replaceFile(path: string, bytes: Buffer, options: ReplaceOptions): Promise<void> {
  // Not write-file-atomic: on a full disk it publishes a truncated file, because it calls write(2) once and ignores the
  // number of bytes written; its temporary names repeat between containers, where processes have the same pid; and it
  // has no hook between fsync and rename.
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
 * Keeps a copy of a file beside it before the file is replaced.
 *
 * @returns the path of the copy, `<file>.corrupt-<time>`
 */
export async function keepCorruptCopy(path: string): Promise<string> {
  const kept = `${path}.corrupt-${toIso(Date.now()).replace(/[-:.]/g, '')}`;
  try {
    await link(path, kept);
  } catch (error) {
    if (getErrorCode(error) === 'EEXIST') return keepCorruptCopy(path); // another copy within the same millisecond
    // Not every file system has hard links, and Linux forbids them to files of other users.
    await copyFile(path, kept, constants.COPYFILE_EXCL);
  }
  return kept;
}

/** Finds the temporary files of {@link replaceFile} for this path, of running and of killed writers. */
export async function findTemporaryFiles(path: string): Promise<string[]> {
  const folder = dirname(path);
  const name = basename(path);
  const entries = await readdir(folder);
  return entries
    .filter((entry) => entry.startsWith(name) && TEMPORARY_SUFFIX_PATTERN.test(entry.slice(name.length)))
    .map((entry) => join(folder, entry));
}

/**
 * Creates a folder if its parent exists, so that a mistyped path does not create any. If root creates it, it belongs to
 * the owner of the parent.
 *
 * @returns whether it was created
 */
export async function makeFolder(path: string): Promise<boolean> {
  if (await nullIfMissing(stat(path))) return false;
  const parent = dirname(path);
  try {
    await mkdir(path);
  } catch (error) {
    if (getErrorCode(error) === 'EEXIST') return false; // another process has created it
    throw error;
  }
  if (isRoot()) {
    const { uid, gid } = await stat(parent);
    await chown(path, uid, gid);
  }
  await syncFolder(parent);
  return true;
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
  // Only root may change the owner. Keep the group at least, so that its members can still read the file.
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
 * Flushes a file to the disk. Does not call `FileHandle.sync()`, which replacements of `node:fs` do not implement
 * (Yarn's Plug'n'Play throws "Method not implemented").
 */
async function sync({ fd }: FileHandle): Promise<void> {
  await promisify(fsync)(fd);
}

// Some file systems can't sync a folder, and fail with one of these codes.
const FOLDER_SYNC_UNSUPPORTED_CODES = new Set(['EINVAL', 'ENOTSUP', 'ENOSYS']);

async function syncFolder(path: string): Promise<void> {
  if (process.platform === 'win32') return; // Windows can't open a folder
  const folder = await open(path, 'r');
  try {
    await sync(folder);
  } catch (error) {
    if (!FOLDER_SYNC_UNSUPPORTED_CODES.has(getErrorCode(error) ?? '')) throw error;
  } finally {
    await folder.close();
  }
}
