import { execFileSync, spawn } from 'node:child_process';
import { chownSync, existsSync, mkdtempSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import getPort from 'get-port';
import { Client } from 'pg';
import { findProgram } from '../tools/programs.js';
import { ServerProcess } from '../tools/server-process.js';

const ROOT = '/usr/lib/postgresql';

/** Finds the folder of the programs: `POSTGRES_BIN`, else the newest of Debian's packages. */
export function findPostgresFolder(): string | undefined {
  const versions = existsSync(ROOT) ? readdirSync(ROOT).sort((a, b) => Number(b) - Number(a)) : [];
  const folders = [process.env.POSTGRES_BIN, ...versions.map((version) => join(ROOT, version, 'bin'))];
  return folders.find((folder) => folder !== undefined && findProgram(join(folder, 'postgres'), []));
}

/**
 * `describe` where Postgres can be started, else `describe.skip`. Where nothing may be skipped, the missing program is
 * a failure.
 */
export function describeWithPostgres(name: string, tests: () => void): void {
  if (findPostgresFolder()) return void describe(name, tests);
  process.stderr.write('skipped: Postgres not found, install with apt-get install postgresql\n');
  if (process.env.CI === 'true') it(`${name}: Postgres is installed`, () => expect(findPostgresFolder()).toBeDefined());
  else describe.skip(name, tests);
}

/** The user without privileges that every Linux has, and that runs a server: it does not run as root. */
const UNPRIVILEGED_ID = 65534;
export const runAs = process.getuid?.() === 0 ? { uid: UNPRIVILEGED_ID, gid: UNPRIVILEGED_ID } : {};

// `shop` needs the password, the superuser does not.
const HOST_ACCESS = `
local all all trust
host all postgres 127.0.0.1/32 trust
host replication postgres 127.0.0.1/32 trust
host all all 127.0.0.1/32 scram-sha-256
`;

/** A Postgres server of a test's own, with the superuser `postgres` and the user `shop` with the password `secret`. */
export class PostgresServer extends ServerProcess {
  #pid: number | undefined;

  private constructor(
    readonly port: number,
    private readonly settings: string[],
    folder: string,
  ) {
    super(folder);
  }

  /** @param settings - such as `max_connections=5` */
  static async start(...settings: string[]): Promise<PostgresServer> {
    const server = await PostgresServer.create(settings);
    server.#execute('initdb', '-D', server.data, '-U', 'postgres', '-A', 'trust', '--no-sync', '-E', 'UTF8');
    writeFileSync(join(server.data, 'pg_hba.conf'), HOST_ACCESS);
    await server.restart();
    await server.ask(`CREATE ROLE shop LOGIN PASSWORD 'secret'`);
    await server.ask('CREATE DATABASE shop OWNER shop');
    return server;
  }

  private static async create(settings: string[]): Promise<PostgresServer> {
    const folder = mkdtempSync(join(tmpdir(), 'postgres-'));
    if (runAs.uid !== undefined) chownSync(folder, runAs.uid, runAs.gid);
    return new PostgresServer(await getPort(), settings, folder);
  }

  /** Starts a replica of this server. */
  async startReplica(): Promise<PostgresServer> {
    const replica = await PostgresServer.create(this.settings);
    const from = ['-h', '127.0.0.1', '-p', String(this.port), '-U', 'postgres'];
    replica.#execute('pg_basebackup', '-D', replica.data, '-R', '--no-sync', '-c', 'fast', ...from);
    await replica.restart();
    return replica;
  }

  get data(): string {
    return join(this.folder, 'data');
  }

  /** The URL for the user `shop`. */
  get url(): string {
    return this.getUrl(this.port);
  }

  /** @param port - of a gate in front of the server */
  getUrl(port: number, parameters = ''): string {
    return `postgres://shop:secret@127.0.0.1:${port}/shop${parameters && `?${parameters}`}`;
  }

  /** Starts it again on the same port, with what it has. */
  async restart(): Promise<void> {
    const fixed = [`port=${this.port}`, 'listen_addresses=127.0.0.1', `unix_socket_directories=${this.folder}`];
    const settings = [...fixed, 'fsync=off', 'password_encryption=scram-sha-256', ...this.settings].flatMap(
      (setting) => ['-c', setting],
    );
    const child = spawn(join(findPostgresFolder()!, 'postgres'), ['-D', this.data, ...settings], runAs);
    this.#pid = child.pid;
    await this.run(child, (output) => output.includes('ready to accept'));
  }

  /** Makes a replica the primary. */
  promote(): void {
    this.#execute('pg_ctl', 'promote', '-D', this.data, '-w');
  }

  /** Signals all processes of the server. */
  override signal(signal: NodeJS.Signals): void {
    const children = readFileSync(`/proc/${this.#pid}/task/${this.#pid}/children`, 'utf8').trim().split(' ');
    super.signal(signal);
    for (const child of children.filter(Boolean)) process.kill(Number(child), signal);
  }

  override async kill(): Promise<void> {
    try {
      this.signal('SIGKILL');
    } catch {
      // It has stopped already.
    }
    await super.kill();
  }

  /** Runs SQL as the superuser and returns the rows of the last statement. */
  async ask<Row = Record<string, unknown>>(sql: string, database = 'postgres'): Promise<Row[]> {
    const client = new Client({ host: '127.0.0.1', port: this.port, user: 'postgres', database });
    await client.connect();
    try {
      const result = (await client.query(sql)) as unknown as { rows: Row[] } | { rows: Row[] }[];
      return (Array.isArray(result) ? result.at(-1)! : result).rows;
    } finally {
      await client.end();
    }
  }

  #execute(program: string, ...args: string[]): void {
    execFileSync(join(findPostgresFolder()!, program), args, { ...runAs, stdio: 'pipe', cwd: this.folder });
  }
}
