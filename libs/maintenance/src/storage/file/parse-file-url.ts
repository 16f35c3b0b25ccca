import { existsSync } from 'node:fs';
import { homedir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';

/** The name of the state file if no storage is configured. */
const DEFAULT_FILE_NAME = 'maintenance-state.json';

/**
 * Parses `file:path`, relative to the working directory, or `file:~/path` in the home directory of the user.
 *
 * @returns the absolute path
 * @throws Error that explains what is wrong with the URL
 */
export function parseFileUrl(url: string): string {
  const path = url.startsWith('file://') ? fileURLToPath(url) : url.slice('file:'.length);
  if (path === '' || path === '~' || path.endsWith('/')) {
    throw new Error(
      `${JSON.stringify(url)} has no file name; expected a URL such as file:/var/lib/app/maintenance.json`,
    );
  }
  // A shell does not expand a `~` after `file:`.
  if (path.startsWith('~/')) return join(homedir(), path.slice(2));
  if (path.startsWith('~')) {
    throw new Error(
      `${JSON.stringify(url)} starts with the home directory of another user; use the absolute path, ` +
        `or file:./${path} for a file with that name`,
    );
  }
  return resolve(path);
}

/**
 * Finds the state file if no storage is configured: `maintenance-state.json` beside the nearest `package.json` at or
 * above `directory`, or in `directory` if there is none.
 */
export function findDefaultFile(directory: string): string {
  for (let current = resolve(directory); ; current = dirname(current)) {
    if (existsSync(join(current, 'package.json'))) return join(current, DEFAULT_FILE_NAME);
    if (dirname(current) === current) return join(directory, DEFAULT_FILE_NAME);
  }
}
