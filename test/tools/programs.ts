import { accessSync, constants } from 'node:fs';
import { delimiter, join } from 'node:path';

/**
 * Finds a program that may be installed.
 *
 * @param override - a path to use instead of `PATH`
 * @param names - the names to look for in `PATH`, in this order
 * @returns its path, or `undefined` where none is found
 */
export function findProgram(override: string | undefined, names: readonly string[]): string | undefined {
  const folders = (process.env.PATH ?? '').split(delimiter).filter(Boolean);
  return (override ? [override] : names.flatMap((name) => folders.map((folder) => join(folder, name)))).find(
    isExecutable,
  );
}

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}
