import { execFile, execFileSync, spawn } from 'node:child_process';
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

/** The server that the tests start. */
interface MysqlProgram {
  path: string;
  isMariadb: boolean;
}

let program: MysqlProgram | undefined;

/** Finds the server: `MYSQLD`, else the `mariadbd` that `PATH` or Debian has; `undefined` where none is installed. */
export function findMysqlServer(): MysqlProgram | undefined {
  if (program) return program;
  const path = findProgram(process.env.MYSQLD, ['mariadbd']) ?? findProgram('/usr/sbin/mariadbd', []);
  if (path === undefined) return undefined;
  const version = execFileSync(path, ['--no-defaults', '--version'], { encoding: 'utf8' });
  return (program = { path, isMariadb: /MariaDB/.test(version) });
}

/** `describe` where the server can be started, else `describe.skip`. In CI, the missing program is a failure. */
export function describeWithMysql(name: string, tests: () => void): void {
  if (findMysqlServer()) return void describe(name, tests);
  process.stderr.write('skipped: mariadbd not found, install with apt-get install mariadb-server\n');
  if (process.env.CI === 'true')
    it(`${name}: mariadb-server is installed`, () => expect(findMysqlServer()).toBeDefined());
  else describe.skip(name, tests);
}

/** A server of MariaDB or MySQL of a test's own. Its data are on the disk of the temporary folder. */
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
    await server.initialize();
    await server.restart();
    await server.createUser(MysqlServer.USER.user, MysqlServer.USER.password);
    await server.ask(`CREATE DATABASE ${MysqlServer.DATABASE}`);
    await server.ask(`GRANT ALL ON ${MysqlServer.DATABASE}.* TO '${MysqlServer.USER.user}'@'%'`);
    return server;
  }

  get url(): string {
    return this.getUrl();
  }

  /** @param port - of a gate in front of the server */
  getUrl(port = this.port, parameters = ''): string {
    const { user, password } = MysqlServer.USER;
    const query = parameters && `?${parameters}`;
    return `mysql://${user}:${password}@127.0.0.1:${port}/${MysqlServer.DATABASE}${query}`;
  }

  /** Starts it again on the same port, with the data that it has. */
  async restart(): Promise<void> {
    const { folder } = this;
    const { path, isMariadb } = findMysqlServer()!;
    const fixed = ['--no-defaults', `--datadir=${join(folder, 'data')}`, `--socket=${join(folder, 'socket')}`];
    const small = ['--innodb-buffer-pool-size=32M', '--performance-schema=off'];
    // MySQL makes a certificate of its own, MariaDB does not.
    const own = isMariadb
      ? ['--innodb-log-file-size=16M']
      : [
          '--innodb-redo-log-capacity=16M',
          '--auto-generate-certs=off',
          '--mysqlx=off',
          '--secure-file-priv=',
          '--skip-log-bin',
        ];
    const network = [`--port=${this.port}`, '--bind-address=127.0.0.1', '--skip-name-resolve', `--tmpdir=${folder}`];
    const pid = `--pid-file=${join(folder, 'pid')}`;
    await rm(join(folder, 'pid'), { force: true });
    const options = [...fixed, ...small, ...own, ...network, pid, ...this.settings];
    const child = spawn(path, options, { ...IDENTITY, cwd: folder });
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

  /** @param requirement - such as `REQUIRE SSL` */
  async createUser(user: string, password: string, requirement = ''): Promise<void> {
    await this.ask(`CREATE USER '${user}'@'%' IDENTIFIED BY '${password}' ${requirement}`);
  }

  /** Ends the connections of a user. */
  async killConnections(user: string): Promise<void> {
    const rows = await this.ask(`SELECT ID AS id FROM information_schema.PROCESSLIST WHERE USER = '${user}'`);
    // Some have ended meanwhile.
    await Promise.all((rows as { id: number }[]).map(({ id }) => this.ask(`KILL ${id}`).catch(() => undefined)));
  }

  /** Becomes a replica of a server that has `--log-bin`, from its position now on. */
  async replicate(primary: MysqlServer): Promise<void> {
    await primary.createUser('replica', 'pw');
    await primary.ask(`GRANT REPLICATION SLAVE ON *.* TO 'replica'@'%'`);
    const logs = (await primary.ask('SHOW BINARY LOGS')) as { Log_name: string; File_size: number }[];
    const { Log_name: log, File_size: position } = logs.at(-1)!;
    const { isMariadb } = findMysqlServer()!;
    const [command, prefix] = isMariadb ? ['CHANGE MASTER', 'MASTER'] : ['CHANGE REPLICATION SOURCE', 'SOURCE'];
    const settings = [`HOST = '127.0.0.1'`, `PORT = ${primary.port}`, `USER = 'replica'`, `PASSWORD = 'pw'`];
    const start = [`LOG_FILE = '${log}'`, `LOG_POS = ${position}`];
    const all = [...settings, ...start].map((setting) => `${prefix}_${setting}`);
    await this.ask(`${command} TO ${all.join(', ')}${isMariadb ? '' : ', SOURCE_SSL = 0, GET_SOURCE_PUBLIC_KEY = 1'}`);
    await this.ask('SET GLOBAL read_only = 1');
    await this.ask('START REPLICA');
  }

  /** Makes a replica the primary. */
  async promote(): Promise<void> {
    await this.ask('STOP REPLICA');
    await this.ask('SET GLOBAL read_only = 0');
  }

  /** Reads the files of the certificate again. */
  async reloadCertificate(): Promise<void> {
    await this.ask(findMysqlServer()!.isMariadb ? 'FLUSH SSL' : 'ALTER INSTANCE RELOAD TLS');
  }

  /** How many statements clients have sent since the server started, those of this call included. */
  async countStatements(): Promise<number> {
    const [row] = (await this.ask(`SHOW GLOBAL STATUS LIKE 'Questions'`)) as { Value: string }[];
    return Number(row!.Value);
  }

  private async initialize(): Promise<void> {
    const { path, isMariadb } = findMysqlServer()!;
    const places = ['--no-defaults', `--datadir=${join(this.folder, 'data')}`, `--tmpdir=${this.folder}`];
    const [install, options] = isMariadb
      ? ['mariadb-install-db', ['--auth-root-authentication-method=normal', '--skip-test-db']]
      : [path, ['--initialize-insecure', '--auto-generate-certs=off', '--secure-file-priv=']];
    await promisify(execFile)(install, [...places, ...options], { ...IDENTITY, cwd: this.folder });
  }
}
