import { statSync } from 'node:fs';
import { userInfo } from 'node:os';

/**
 * Describes who may read a state file, such as "owner root, mode 600".
 *
 * @returns `undefined` where everyone may, or where that can't be found out
 */
export function describeFileAccess({ kind, location }: { kind: string; location: string }): string | undefined {
  if (kind !== 'file' || process.platform === 'win32') return undefined;
  const stats = statSync(location, { throwIfNoEntry: false });
  if (!stats || (stats.mode & 0o004) !== 0) return undefined;
  return `owner ${describeOwner(stats.uid)}, mode ${(stats.mode & 0o777).toString(8)}`;
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
