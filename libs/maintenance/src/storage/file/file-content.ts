import { createHash } from 'node:crypto';
import { constants, type BigIntStats } from 'node:fs';
import { open, readlink, realpath } from 'node:fs/promises';
import { basename, dirname, join, resolve } from 'node:path';
import { getErrorCode } from '../error-code.js';
import { nullIfMissing } from './file-errors.js';
import { MAX_STATE_BYTES } from '../state-storage.js';

/** The content of a file. */
export interface FileContent {
  /** A hash of the content. */
  version: string;
  /** Missing if the file is larger than {@link MAX_STATE_BYTES}. */
  text?: string;
}

/** Returns the version of a file with these bytes. */
export function hashContent(bytes: Buffer): string {
  return createHash('sha256').update(bytes).digest('hex').slice(0, 32);
}

/**
 * Reads a file, following symbolic links.
 *
 * @returns `null` if the file does not exist
 * @throws Error if the path is not a regular file but a folder or a named pipe, for example
 */
export async function readContent(path: string): Promise<FileContent | null> {
  // Without O_NONBLOCK, opening a named pipe blocks until another process writes to it.
  const file = await nullIfMissing(open(path, constants.O_RDONLY | (constants.O_NONBLOCK ?? 0)));
  if (!file) return null;
  try {
    const stats = await file.stat({ bigint: true });
    if (stats.isDirectory()) throw Object.assign(new Error('it is a folder'), { code: 'EISDIR' });
    if (!stats.isFile()) throw new Error('it is not a regular file');
    if (stats.size > MAX_STATE_BYTES) return { version: createLargeVersion(stats) };
    const bytes = await file.readFile();
    return { version: hashContent(bytes), text: bytes.toString('utf8') };
  } finally {
    await file.close();
  }
}

// A file that is too large to be a state is not hashed at every poll.
function createLargeVersion({ size, mtimeNs, ino }: BigIntStats): string {
  return `large-${size}-${mtimeNs}-${ino}`;
}

/** Resolves the symbolic links of `path`, even if the target does not exist: replacing the target keeps the links. */
export async function followLinks(path: string): Promise<string> {
  let target = path;
  for (let links = 0; links < 40; links++) {
    const folder = (await nullIfMissing(realpath(dirname(target)))) ?? dirname(target);
    target = join(folder, basename(target));
    const link = await readLinkTarget(target);
    if (link === null) return target;
    target = resolve(folder, link);
  }
  throw Object.assign(new Error('too many links'), { code: 'ELOOP' });
}

async function readLinkTarget(path: string): Promise<string | null> {
  try {
    return await nullIfMissing(readlink(path));
  } catch (error) {
    if (getErrorCode(error) === 'EINVAL') return null; // not a link
    throw error;
  }
}
