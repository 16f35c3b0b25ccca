// Postgres with a replica, behind PgBouncer, and on a small disk.
import { spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { chmodSync, mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import getPort from 'get-port';
import { Client } from 'pg';
import { PostgresStateStorage, type PostgresStateStorageOptions } from '../../libs/maintenance/src/postgres.js';
import { createPostgresTableSql } from '../../libs/maintenance/src/storage/postgres/postgres-statements.js';
import { findProgram } from '../tools/programs.js';
import { ServerProcess } from '../tools/server-process.js';
import { until } from '../tools/waiting.js';
import { closeLater } from '../tools/close-later.js';
import { captureStorageError } from './capture-storage-error.js';
import { ALL_OFF, ALL_ON, createReport, createState, FAILING_WHILE_ON, Monitors, turn } from './monitors.js';
import { describeWithPostgres, PostgresServer, runAs } from './postgres-server.js';
import { Proxy } from './redis-server.js';
import { SmallDisk } from './small-disk.js';

const TIMEOUT = 1_500;

afterEach(() => jest.restoreAllMocks());

function open(options: PostgresStateStorageOptions): PostgresStateStorage {
  return closeLater(new PostgresStateStorage({ timeout: TIMEOUT, ...options }), (storage) => storage.close());
}

describeWithPostgres('PostgresStateStorage with a replica', () => {
  it('fails over to it: reads at once, writes once it is the primary', async () => {
    const primary = closeLater(await PostgresServer.start(), (server) => server.stop());
    const replica = closeLater(await primary.startReplica(), (server) => server.stop());
    const proxy = closeLater(await Proxy.to(primary.port), (one) => one.close());
    const url = primary.getUrl(Number(new URL(proxy.url).port));
    await turn(open({ url }), 'on');
    const monitors = closeLater(await Monitors.start(() => open({ url })), (started) => started.stop());
    await monitors.waitFor(ALL_ON);
    const onReplica = open({ url: replica.url });
    await until('the replica has the state', async () => (await onReplica.read()) !== null);
    expect((await captureStorageError(turn(onReplica, 'off'))).message).toContain('is a replica or read-only (25006)');

    await primary.kill();
    await monitors.waitForHealth(/closed the connection|refused|stopped|starting/);
    await monitors.waitFor(FAILING_WHILE_ON);
    proxy.target = replica.port;
    await monitors.waitForHealth(null);
    await monitors.waitFor(ALL_ON);
    const operator = open({ url });
    expect((await captureStorageError(turn(operator, 'off'))).code).toBe('unavailable');
    replica.promote();
    await turn(operator, 'off');
    await monitors.waitFor(ALL_OFF);
  });
});

/** A PgBouncer in front of a server. */
class PgBouncer extends ServerProcess {
  static async start(server: PostgresServer, mode: 'transaction' | 'session'): Promise<PgBouncer> {
    const bouncer = new PgBouncer(mkdtempSync(join(tmpdir(), 'pgbouncer-')), await getPort());
    const file = join(bouncer.folder, 'pgbouncer.ini');
    const database = `shop = host=127.0.0.1 port=${server.port} dbname=shop user=shop password=secret`;
    const settings = `auth_type = any\npool_mode = ${mode}\ndefault_pool_size = 3\nunix_socket_dir =`;
    const address = `listen_addr = 127.0.0.1\nlisten_port = ${bouncer.port}`;
    writeFileSync(file, `[databases]\n${database}\n[pgbouncer]\n${address}\n${settings}\n`);
    chmodSync(bouncer.folder, 0o755);
    await bouncer.run(spawn(findPgBouncer()!, [file], runAs), (output) => output.includes('process up'));
    return bouncer;
  }

  private constructor(
    folder: string,
    readonly port: number,
  ) {
    super(folder);
  }
}

function findPgBouncer(): string | undefined {
  return findProgram(process.env.PGBOUNCER, ['pgbouncer']) ?? findProgram('/usr/sbin/pgbouncer', []);
}

const describeWithPgBouncer = findPgBouncer() || process.env.CI === 'true' ? describeWithPostgres : describe.skip;

describeWithPgBouncer('PostgresStateStorage behind PgBouncer', () => {
  let server: PostgresServer;
  beforeAll(async () => {
    server = await PostgresServer.start();
  });
  afterAll(() => server.stop());

  it('polls in transaction mode, logs why, and leaves no setting behind', async () => {
    const bouncer = closeLater(await PgBouncer.start(server, 'transaction'), (one) => one.stop());
    const url = server.getUrl(bouncer.port);
    const warnings = jest.spyOn(process, 'emitWarning').mockReturnValue();
    const monitors = closeLater(await Monitors.start(() => open({ url })), (started) => started.stop());
    await until('each storage has warned', () => warnings.mock.calls.length === 3);
    expect(String(warnings.mock.calls[0]![0])).toMatch(
      /^postgres:\/\/127\.0\.0\.1:\d+\/shop\?.*: the connection leads through a pooler such as PgBouncer/,
    );
    const writers = Array.from({ length: 6 }, () => open({ url }));
    await Promise.all(writers.map((writer, index) => turn(writer, index % 2 ? 'on' : 'off')));
    await turn(writers[0]!, 'on');
    await monitors.waitFor(ALL_ON);
    expect((await writers[1]!.read())?.state.revision).toBe(7);
    await writers[1]!.report(createReport('a'));
    expect(await writers[2]!.reports()).toHaveLength(1);
    expect(await server.ask(`SELECT 1 FROM pg_stat_activity WHERE query LIKE 'LISTEN%'`)).toEqual([]);
    const client = new Client({ connectionString: url });
    await client.connect();
    const { rows } = await client.query(`SELECT current_setting('lock_timeout') AS lock, count(*)::int AS prepared
      FROM pg_prepared_statements`);
    await client.end();
    expect(rows).toEqual([{ lock: '0', prepared: 0 }]);
  });

  it('does not warn with listen=false, and listens in session mode with listen=true', async () => {
    const bouncer = closeLater(await PgBouncer.start(server, 'session'), (one) => one.stop());
    const warnings = jest.spyOn(process, 'emitWarning').mockReturnValue();
    let calls = 0;
    const silent = await open({ url: server.getUrl(bouncer.port, 'listen=false') }).watch(() => (calls = NaN));
    await open({ url: server.getUrl(bouncer.port, 'listen=true&key=session') }).watch(() => calls++);
    await turn(open({ url: server.getUrl(server.port, 'key=session') }), 'on');
    await until('the change was told', () => calls > 0);
    await silent();
    expect(warnings).not.toHaveBeenCalled();
  });
});

describeWithPostgres('PostgresStateStorage on a full disk', () => {
  it('is reported; reads continue, and writes work again once there is space', async () => {
    const server = closeLater(await PostgresServer.start(), (one) => one.stop());
    const disk = SmallDisk.mount(join(server.folder, 'small'), 2);
    if (!disk) return;
    closeLater(disk, () => server.kill().then(() => disk.unmount()));
    await server.ask(`CREATE TABLESPACE small LOCATION '${disk.folder}'`);
    await server.ask(
      `${createPostgresTableSql('maintenance_state')}
      ALTER TABLE maintenance_state SET TABLESPACE small; ALTER TABLE maintenance_state OWNER TO shop`,
      'shop',
    );
    const storage = open({ url: server.url });
    const version = await storage.write(createState(1), null);
    await disk.fill();

    const large = { ...createState(2), filler: randomBytes(100_000).toString('hex') };
    const error = await captureStorageError(storage.write(large, version));
    expect([error.code, error.message]).toEqual([
      'unavailable',
      expect.stringContaining('disk of the server is full (53100)'),
    ]);
    expect(await storage.read()).toEqual({ state: createState(1), version });
    await disk.empty();
    await storage.write(large, version);
    expect((await storage.read())?.state.revision).toBe(2);
  });
});
