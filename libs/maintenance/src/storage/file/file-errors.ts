import { statSync } from 'node:fs';
import { userInfo } from 'node:os';
import { dirname } from 'node:path';
import { isStorageError, MaintenanceStorageError } from '../../errors/maintenance-storage.error.js';
import { getErrorCode } from '../error-code.js';

/** Returns the result of `work`, or `null` if it fails because a file or folder does not exist. */
export async function nullIfMissing<T>(work: Promise<T>): Promise<T | null> {
  try {
    return await work;
  } catch (error) {
    if (getErrorCode(error) === 'ENOENT') return null;
    throw error;
  }
}

/** Whether this process runs as root, and may therefore change the owner of files. */
export function isRoot(): boolean {
  return process.geteuid?.() === 0;
}

/**
 * Converts an error of the file system into one that tells an operator what to do.
 *
 * @param error - a {@link MaintenanceStorageError} is returned as it is
 * @param access - the operation that failed
 * @param path - the file or folder of that operation
 */
export function toFileError(error: unknown, access: 'read' | 'write to', path: string): MaintenanceStorageError {
  if (isStorageError(error)) return error;
  const code = getErrorCode(error);
  const denied = code === 'EACCES' || code === 'EPERM' || code === 'EROFS';
  const reason = (error as Error | undefined)?.message ?? String(error);
  return new MaintenanceStorageError(
    denied ? 'denied' : 'unavailable',
    explainFileError(error, access, path) ?? `Could not ${access} ${path}: ${reason}. Fix the cause and try again.`,
    { cause: error },
  );
}

/** Describes the permissions of a file or folder, such as "owner root, mode 600"; `undefined` if they can't be read. */
export function describeRights(path: string): string | undefined {
  try {
    const { uid, mode } = statSync(path);
    return `owner ${describeOwner(uid)}, mode ${(mode & 0o777).toString(8)}`;
  } catch {
    return undefined;
  }
}

function describeOwner(uid: number): string {
  if (uid === 0) return 'root';
  try {
    const user = userInfo();
    if (user.uid === uid) return user.username;
  } catch {
    // In a container, the uid often has no entry in /etc/passwd.
  }
  return `uid ${uid}`;
}

function explainFileError(error: unknown, access: string, path: string): string | undefined {
  const code = getErrorCode(error);
  switch (code) {
    case 'ENOENT': {
      // The path in the error is the file that was to be created; its folder is missing.
      const missing = dirname((error as NodeJS.ErrnoException).path ?? path);
      return `ENOENT: the folder ${missing} does not exist. Create it, or correct the path.`;
    }
    case 'EACCES':
    case 'EPERM': {
      const user = `uid ${process.geteuid?.() ?? 'unknown'}`;
      const rights = describeRights(path);
      const shown = rights === undefined ? '' : ` (${rights})`;
      const reason = `the user "${user}" may not ${access} ${path}${shown}`;
      return `${code}: ${reason}. Grant that user access, or run as the owner.`;
    }
    case 'EROFS':
      return `EROFS: ${path} is on a read-only file system. Mount it writable, or store the state elsewhere.`;
    case 'ENOSPC':
    case 'EDQUOT':
      return `${code}: there is no space left for ${path}. Free some and try again; the previous state is unchanged.`;
    case 'EISDIR':
      return `EISDIR: ${path} is a folder. Specify a file in it.`;
    case 'ENOTDIR':
      return `ENOTDIR: a component of ${path} is a file, not a folder. Correct the path.`;
    case 'ELOOP':
      return `ELOOP: the symbolic links of ${path} form a loop. Correct them.`;
    case 'EBUSY':
      return `EBUSY: ${path} is a mount point and can't be replaced. Mount the folder that holds it instead.`;
    default:
      return undefined;
  }
}
