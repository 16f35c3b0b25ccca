import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseEnv } from 'node:util';

/**
 * Adds the variables of the `.env` in `directory` to `environment`, as `@nestjs/config` does for the application:
 * variables that exist win, even empty ones.
 *
 * @throws Error if there is a `.env` that can't be read. It may set the storage, and the command must not change
 *   another one.
 */
export function loadEnvFile(directory: string, environment: NodeJS.ProcessEnv): void {
  const path = join(directory, '.env');
  for (const [name, value] of Object.entries(parseEnv(readEnvFile(path)))) {
    if (!(name in environment)) environment[name] = value;
  }
}

function readEnvFile(path: string): string {
  try {
    // process.loadEnvFile would take a byte order mark as part of the first name.
    return readFileSync(path, 'utf8').replace(/^\ufeff/, '');
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    if (code === 'ENOENT' || code === 'EISDIR') return '';
    throw new Error(
      `Cannot read ${path} (it may set MAINTENANCE_STORAGE): ${message}. ` +
        'Give this user the right to read it, or use another folder and --storage.',
      { cause: error },
    );
  }
}
