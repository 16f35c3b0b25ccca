import { createHash } from 'node:crypto';
import { constants, type BigIntStats } from 'node:fs';
import { open, readlink, realpath } from 'node:fs/promises';
import { basename, dirname, join, resolve } from 'node:path';
import { getErrorCode, nullIfMissing } from './file-errors.js';

/** The most bytes that a state may have: many thousand windows, and still quick to read. */
export const MAX_STATE_BYTES = 1024 * 1024;

/** What a file holds. */
export interface FileContent {
  version: string;
  /** Missing where the file is larger than {@link MAX_STATE_BYTES}. */
  text?: string;
}

/** The version of a file with these bytes. */
export function hashContent(bytes: Buffer): string {
  return createHash('sha256').update(bytes).digest('hex').slice(0, 32);
}

/**
 * Reads a file, links followed; `null` where there is none.
 *
 * @throws for what is not a regular file, such as a folder or a named pipe
 */
export async function readContent(path: string): Promise<FileContent | null> {
  // Without O_NONBLOCK a named pipe would hang the reader until another process writes to it.
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

// A file that can't be a state is not worth hashing at each poll.
function createLargeVersion({ size, mtimeNs, ino }: BigIntStats): string {
  return `large-${size}-${mtimeNs}-${ino}`;
}

/** Where the links of `path` end, whether or not anything is there: what has to be replaced so that they stay. */
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
    if (getErrorCode(error) === 'EINVAL') return null; // it is no link
    throw error;
  }
}
