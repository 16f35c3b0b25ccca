import { statSync } from 'node:fs';
import { describeRights } from '../storage/file/file-errors.js';

/**
 * Describes who may read a state file, such as "owner root, mode 600".
 *
 * @returns `undefined` if every user may, or if that can't be determined
 */
export function describeFileAccess({ kind, location }: { kind: string; location: string }): string | undefined {
  if (kind !== 'file' || process.platform === 'win32') return undefined;
  const stats = statSync(location, { throwIfNoEntry: false });
  return stats && (stats.mode & 0o004) === 0 ? describeRights(location) : undefined;
}
