import { randomBytes } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { hostname } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import type { InstanceReport } from '../state/instance-report.js';

/** Who an instance is, as long as it lives. */
export type Identity = Pick<InstanceReport, 'id' | 'host' | 'pid' | 'appVersion'>;

/** The identity of an application in this process, which may hold several. */
export function newIdentity(): Identity {
  const appVersion = versionOf(process.argv[1] ?? '.') ?? process.env.npm_package_version;
  const id = randomBytes(4).toString('hex');
  return { id, host: hostname(), pid: process.pid, ...(appVersion !== undefined && { appVersion }) };
}

/** The version in the nearest `package.json` above the program. */
function versionOf(program: string): string | undefined {
  for (let at = dirname(resolve(program)); ; at = dirname(at)) {
    try {
      const { version } = JSON.parse(readFileSync(join(at, 'package.json'), 'utf8')) as { version?: unknown };
      return typeof version === 'string' ? version : undefined;
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ENOENT' || dirname(at) === at) return undefined;
    }
  }
}
