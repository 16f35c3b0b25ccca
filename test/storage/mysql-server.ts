import { execFile, spawn } from 'node:child_process';
import { chmod, chown, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import getPort from 'get-port';
import { createConnection, type Connection } from 'mysql2/promise';
import { findProgram } from '../tools/programs.js';
import { ServerProcess } from '../tools/server-process.js';

/** The server refuses to run as root. */
const UNPRIVILEGED = 65534;
const IDENTITY = process.getuid?.() === 0 ? { uid: UNPRIVILEGED, gid: UNPRIVILEGED } : {};

/** Path of the program: `MARIADBD`, else the first that `PATH` or Debian has; `undefined` where none is installed. */
export function findMysqlServer(): string | undefined {
  return findProgram(process.env.MARIADBD, ['mariadbd']) ?? findProgram('/usr/sbin/mariadbd', []);
}

/** `describe` where MariaDB can be started, else `describe.skip`. In CI, the missing program is a failure. */
export function describeWithMysql(name: string, tests: () => void): void {
  if (findMysqlServer()) return void describe(name, tests);
  process.stderr.write('skipped: mariadbd not found, install with apt-get install mariadb-server\n');
  if (process.env.CI === 'true')
    it(`${name}: mariadb-server is installed`, () => expect(findMysqlServer()).toBeDefined());
  else describe.skip(name, tests);
}

/** A MariaDB server of a test's own. Its data are on the disk of the temporary folder. */
export class MysqlServer extends ServerProcess {
  /** A user who may do anything in the database `ops`, and nothing elsewhere. */
  static readonly USER = { user: 'shop', password: 'open-sesame' };
  static readonly DATABASE = 'ops';

  private constructor(
    readonly port: number,
    private readonly settings: string[],
    folder: string,
  ) {
    super(folder);
  }

  /** @param settings - as on the command line of `mariadbd` */
  static async start(...settings: string[]): Promise<MysqlServer> {
    const folder = await mkdtemp(join(tmpdir(), 'mysql-'));
    await chmod(folder, 0o755);
    if (IDENTITY.uid !== undefined) await chown(folder, UNPRIVILEGED, UNPRIVILEGED);
    const server = new MysqlServer(await getPort(), settings, folder);
    const install = ['--no-defaults', `--datadir=${join(folder, 'data')}`, '--auth-root-authentication-method=normal'];
    await promisify(execFile)('mariadb-install-db', [...install, '--skip-test-db', `--tmpdir=${folder}`], {
      ...IDENTITY,
      cwd: folder,
    });
    await server.restart();
    const { user, password } = MysqlServer.USER;
    await server.ask(`CREATE DATABASE ${MysqlServer.DATABASE}`);
    await server.ask(`CREATE USER '${user}'@'%' IDENTIFIED BY '${password}'`);
    await server.ask(`GRANT ALL ON ${MysqlServer.DATABASE}.* TO '${user}'@'%'`);
    return server;
  }

  get url(): string {
    const { user, password } = MysqlServer.USER;
    return `mysql://${user}:${password}@127.0.0.1:${this.port}/${MysqlServer.DATABASE}`;
  }

  /** Starts it again on the same port, with the data that it has. */
  async restart(): Promise<void> {
    const { folder } = this;
    const fixed = ['--no-defaults', `--datadir=${join(folder, 'data')}`, `--socket=${join(folder, 'socket')}`];
    const small = ['--innodb-buffer-pool-size=32M', '--innodb-log-file-size=16M', '--performance-schema=off'];
    const network = [`--port=${this.port}`, '--bind-address=127.0.0.1', '--skip-name-resolve', `--tmpdir=${folder}`];
    const pid = `--pid-file=${join(folder, 'pid')}`;
    await rm(join(folder, 'pid'), { force: true });
    const child = spawn(findMysqlServer()!, [...fixed, ...small, ...network, pid, ...this.settings], {
      ...IDENTITY,
      cwd: folder,
    });
    await this.run(child, (output) => output.includes('ready for connections'));
  }

  /** Connects as the root of the server. */
  connect(): Promise<Connection> {
    return createConnection({ socketPath: join(this.folder, 'socket'), user: 'root' });
  }

  /** Runs a statement as the root of the server, and returns its rows. */
  async ask(sql: string): Promise<unknown[]> {
    const connection = await this.connect();
    try {
      const [rows] = await connection.query(sql);
      return rows as unknown[];
    } finally {
      connection.destroy();
    }
  }

  /** How many statements clients have sent since the server started, those of this call included. */
  async countStatements(): Promise<number> {
    const [row] = (await this.ask(`SHOW GLOBAL STATUS LIKE 'Questions'`)) as { Value: string }[];
    return Number(row!.Value);
  }
}
