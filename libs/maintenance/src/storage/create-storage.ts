import { existsSync } from 'node:fs';
import { homedir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { redactUrlCredentials } from '../utils/redact-credentials.js';
import { FileStateStorage } from './file/file-state-storage.js';
import { parseS3Url } from './s3/parse-s3-url.js';
import type { StateStorage } from './state-storage.js';

/** Name of the state file where no storage is named. */
const DEFAULT_FILE = 'maintenance-state.json';

/**
 * The storage that a URL names. What the others need is not loaded.
 *
 * @param url - `file:path`, relative to the working directory, `file:~/path` to the home of the user; default: {@link findDefaultFile}
 * @throws Error with a sentence that shows what a URL looks like
 */
export async function createStorage(url: string | undefined): Promise<StateStorage> {
  if (url === undefined) return new FileStateStorage(findDefaultFile(process.cwd()));
  const scheme = /^([a-z][a-z\d+.-]+):/i.exec(url)?.[1]?.toLowerCase();
  if (scheme === 'file') return new FileStateStorage(parseFilePath(url));
  if (scheme === 'redis' || scheme === 'rediss') {
    return new (await import('./redis/redis-state-storage.js')).RedisStateStorage({ url });
  }
  if (scheme === 's3') return new (await import('./s3/s3-state-storage.js')).S3StateStorage(parseS3Url(url));
  throw new Error(
    `${JSON.stringify(redactUrlCredentials(url))} is not the URL of a storage; write file:path (such as file:/var/lib/app/maintenance.json), s3://bucket/key or redis://host:port/db`,
  );
}

/** `maintenance-state.json` beside the nearest `package.json` above `directory`; in `directory` itself where there is none. */
function findDefaultFile(directory: string): string {
  for (let at = resolve(directory); ; at = dirname(at)) {
    if (existsSync(join(at, 'package.json'))) return join(at, DEFAULT_FILE);
    if (dirname(at) === at) return join(directory, DEFAULT_FILE);
  }
}

function parseFilePath(url: string): string {
  const path = url.startsWith('file://') ? fileURLToPath(url) : url.slice('file:'.length);
  if (path === '' || path === '~' || path.endsWith('/')) throw new Error(`${JSON.stringify(url)} names no file`);
  // As in a shell, which leaves a `~` behind `file:` alone.
  if (path.startsWith('~/')) return join(homedir(), path.slice(2));
  if (path.startsWith('~')) {
    throw new Error(
      `${JSON.stringify(url)} names the home of another user, or a file with "~" in front; write the path in full, or file:./${path}`,
    );
  }
  return resolve(path);
}
