import { statSync } from 'node:fs';
import { userInfo } from 'node:os';
import { dirname } from 'node:path';
import { isStorageError, MaintenanceStorageError } from '../../errors/maintenance-storage.error.js';

/** The system's code of an error, `ENOENT` for example. */
export function getErrorCode(error: unknown): string | undefined {
  // Not instanceof: under Jest the system's errors belong to another realm.
  const code = (error as { code?: unknown } | null | undefined)?.code;
  return typeof code === 'string' ? code : undefined;
}

/** What `work` gives, or `null` where it fails because something is not there. */
export async function nullIfMissing<T>(work: Promise<T>): Promise<T | null> {
  try {
    return await work;
  } catch (error) {
    if (getErrorCode(error) === 'ENOENT') return null;
    throw error;
  }
}

/** Whether this process may give files away. */
export function isRoot(): boolean {
  return process.geteuid?.() === 0;
}

/**
 * An error of the file system in the words of an operator.
 *
 * @param access - what was tried
 * @param path - on what
 */
export function toFileError(error: unknown, access: 'read' | 'write to', path: string): MaintenanceStorageError {
  if (isStorageError(error)) return error;
  const code = getErrorCode(error);
  const denied = code === 'EACCES' || code === 'EPERM' || code === 'EROFS';
  const reason = (error as Error | undefined)?.message ?? String(error);
  return new MaintenanceStorageError(
    denied ? 'denied' : 'unavailable',
    explainFileError(error, access, path) ?? `could not ${access} ${path}: ${reason}. Correct that and try again.`,
    { cause: error },
  );
}

/** Describes the rights on a file or folder, such as "owner root, mode 600"; `undefined` where nothing can be found out. */
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
    // In a container the uid often has no entry in the list of users.
  }
  return `uid ${uid}`;
}

function explainFileError(error: unknown, access: string, path: string): string | undefined {
  const code = getErrorCode(error);
  switch (code) {
    case 'ENOENT': {
      // The call names what it was about to make, in a folder that is not there.
      const missing = dirname((error as NodeJS.ErrnoException).path ?? path);
      return `ENOENT: the folder ${missing} does not exist. Create it, or correct the path.`;
    }
    case 'EACCES':
    case 'EPERM': {
      const user = `uid ${process.geteuid?.() ?? 'unknown'}`;
      const rights = describeRights(path);
      const shown = rights === undefined ? '' : ` (${rights})`;
      return `${code}: the user "${user}" may not ${access} ${path}${shown}. Give that user the right, or run as the owner.`;
    }
    case 'EROFS':
      return `EROFS: ${path} is on a read-only file system. Mount it writable, or keep the state elsewhere.`;
    case 'ENOSPC':
    case 'EDQUOT':
      return `${code}: there is no space left for ${path}. Free some and try again; the old state still holds.`;
    case 'EISDIR':
      return `EISDIR: ${path} is a folder. Name a file in it.`;
    case 'ENOTDIR':
      return `ENOTDIR: a part of ${path} is a file where a folder should be. Correct the path.`;
    case 'ELOOP':
      return `ELOOP: the links of ${path} lead in a circle. Correct them.`;
    case 'EBUSY':
      return `EBUSY: ${path} is a mount point and can't be replaced. Mount the folder that holds it instead.`;
    default:
      return undefined;
  }
}
