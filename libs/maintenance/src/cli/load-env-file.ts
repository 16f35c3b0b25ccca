import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseEnv } from 'node:util';

/**
 * Puts the variables of the `.env` in `directory` into `environment`, as `@nestjs/config` does for the application: a variable
 * that is there wins, even an empty one.
 *
 * @throws Error where there is a `.env` that can't be read: it may name the storage, and another must not be switched instead
 */
export function loadEnvFile(directory: string, environment: NodeJS.ProcessEnv): void {
  const path = join(directory, '.env');
  for (const [name, value] of Object.entries(parseEnv(read(path)))) {
    if (!(name in environment)) environment[name] = value;
  }
}

function read(path: string): string {
  try {
    // process.loadEnvFile would take a byte order mark for a part of the first name.
    return readFileSync(path, 'utf8').replace(/^\ufeff/, '');
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    if (code === 'ENOENT' || code === 'EISDIR') return '';
    throw new Error(
      `${path} may name the storage, but can't be read: ${message}. ` +
        'Give this user the right to read it, or work in another folder and name the storage with --storage.',
      { cause: error },
    );
  }
}
