// Starts a Postgres server in a folder of its own, as a user without privileges: it does not run as root.
import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { chownSync, existsSync, readdirSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import getPort from 'get-port';

const ROOT = '/usr/lib/postgresql';
const UNPRIVILEGED_ID = 65534;
const runAs = process.getuid() === 0 ? { uid: UNPRIVILEGED_ID, gid: UNPRIVILEGED_ID } : {};

/** Returns the URL of the server and how to stop it; `undefined` where Postgres is not installed. */
export async function startPostgresServer() {
  const versions = existsSync(ROOT) ? readdirSync(ROOT).sort((a, b) => b - a) : [];
  if (versions.length === 0) return undefined;
  const programs = join(ROOT, versions[0], 'bin');
  const folder = await mkdtemp(join(tmpdir(), 'bench-postgres-'));
  if (runAs.uid !== undefined) chownSync(folder, runAs.uid, runAs.gid);
  const data = join(folder, 'data');
  execFileSync(join(programs, 'initdb'), ['-D', data, '-U', 'postgres', '-A', 'trust', '-E', 'UTF8'], {
    ...runAs,
    cwd: folder,
    stdio: 'ignore',
  });
  const port = await getPort({ host: '127.0.0.1' });
  const settings = [`port=${port}`, 'listen_addresses=127.0.0.1', `unix_socket_directories=${folder}`];
  const limits = ['max_connections=200', 'shared_preload_libraries=pg_stat_statements'];
  const server = spawn(
    join(programs, 'postgres'),
    ['-D', data, ...[...settings, ...limits].flatMap((setting) => ['-c', setting])],
    runAs,
  );
  await new Promise((resolve, reject) => {
    server.on('exit', () => reject(new Error('Postgres does not start')));
    server.stderr.on('data', (text) => String(text).includes('ready to accept connections') && resolve());
  });
  return {
    url: `postgres://postgres@127.0.0.1:${port}/postgres`,
    stop: async () => {
      server.kill('SIGINT');
      await once(server, 'exit');
      await rm(folder, { recursive: true });
    },
  };
}
