// Starts a MariaDB server in a folder of its own, as a user without privileges: it does not run as root.
import { execFileSync, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { chownSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import getPort from 'get-port';

const UNPRIVILEGED_ID = 65534;
const runAs = process.getuid() === 0 ? { uid: UNPRIVILEGED_ID, gid: UNPRIVILEGED_ID } : {};
const DATABASE = 'bench';

/** Returns the URL of the server and how to stop it; `undefined` where MariaDB is not installed. */
export async function startMysqlServer() {
  if (spawnSync('mariadbd', ['--version']).error) return undefined;
  const folder = await mkdtemp(join(tmpdir(), 'bench-mysql-'));
  if (runAs.uid !== undefined) chownSync(folder, runAs.uid, runAs.gid);
  const place = ['--no-defaults', `--datadir=${join(folder, 'data')}`, `--tmpdir=${folder}`];
  execFileSync('mariadb-install-db', [...place, '--auth-root-authentication-method=normal', '--skip-test-db'], {
    ...runAs,
    cwd: folder,
    stdio: 'ignore',
  });
  const port = await getPort({ host: '127.0.0.1' });
  const network = [`--port=${port}`, '--bind-address=127.0.0.1', `--socket=${join(folder, 'socket')}`];
  // The user of the installation may connect over the socket only.
  const settings = ['--skip-grant-tables', '--max-connections=500', `--pid-file=${join(folder, 'pid')}`];
  const server = spawn('mariadbd', [...place, ...network, ...settings], { ...runAs, cwd: folder });
  await new Promise((resolve, reject) => {
    server.on('exit', () => reject(new Error('MariaDB does not start')));
    server.stderr.on('data', (text) => String(text).includes('ready for connections') && resolve());
  });
  execFileSync('mariadb', ['--no-defaults', `--socket=${join(folder, 'socket')}`, '-e', `CREATE DATABASE ${DATABASE}`]);
  return {
    url: `mysql://root@127.0.0.1:${port}/${DATABASE}`,
    stop: async () => {
      server.kill('SIGTERM');
      await once(server, 'exit');
      await rm(folder, { recursive: true });
    },
  };
}
