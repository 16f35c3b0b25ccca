// Instances and operators while MySQL or MariaDB is in trouble.
import { join } from 'node:path';
import { randomBytes } from 'node:crypto';
import { createPool } from 'mysql2/promise';
import { MysqlStateStorage, type MysqlStateStorageOptions } from '../../libs/maintenance/src/mysql.js';
import { createMysqlTableSql } from '../../libs/maintenance/src/storage/mysql/mysql-statements.js';
import { measureTime, until } from '../tools/waiting.js';
import { closeLater } from '../tools/close-later.js';
import { captureStorageError } from './capture-storage-error.js';
import { ALL_OFF, ALL_ON, createState, FAILING_WHILE_ON, Monitors, turn } from './monitors.js';
import { describeWithMysql, findMysqlServer, MysqlServer } from './mysql-server.js';
import { Proxy } from './redis-server.js';
import { SmallDisk } from './small-disk.js';
import { WriterProcess } from './writer-process.js';

/** Long enough for an answer on a busy machine. */
const TIMEOUT = 4_000;
/** Far above what a busy machine adds to a timeout. */
const SLACK = 15_000;
/** A timeout that shows that a call ends before it. */
const NEVER_REACHED = 60_000;

let keys = 0;
const newKey = (): string => `key-${keys++}`;

function open(options: MysqlStateStorageOptions): MysqlStateStorage {
  return closeLater(new MysqlStateStorage({ timeout: TIMEOUT, ...options }), (storage) => storage.close());
}

/** Starts three applications with maintenance on, one for each `onStorageFailure`. */
async function startMonitors(options: MysqlStateStorageOptions, graceMs?: number): Promise<Monitors> {
  await turn(open(options), 'on');
  const monitors = closeLater(await Monitors.start(() => open(options), 50, graceMs), (started) => started.stop());
  await monitors.waitFor(ALL_ON);
  return monitors;
}

describeWithMysql('MysqlStateStorage in trouble', () => {
  let server: MysqlServer;

  beforeAll(async () => {
    server = await MysqlServer.start();
  }, 60_000);
  afterAll(() => server?.stop());

  it('answers by onStorageFailure while the table is locked, and leaves no statement behind', async () => {
    const options = { url: server.url, key: newKey() };
    const monitors = await startMonitors(options);
    const storage = open({ ...options, timeout: NEVER_REACHED / 30 });
    const version = (await storage.read())!.version;
    const migration = closeLater(await server.connect(), (connection) => connection.destroy());
    await migration.query('LOCK TABLES ops.maintenance_state WRITE');
    const locked = /another session has locked maintenance_state \(ER_LOCK_WAIT_TIMEOUT\)/;
    for (const work of [() => storage.write(createState(9), version), () => storage.read()]) {
      expect(await captureStorageError(work())).toMatchObject({
        code: 'unavailable',
        message: expect.stringMatching(locked),
      });
    }
    await monitors.waitForHealth(locked);
    await monitors.waitFor(FAILING_WHILE_ON);
    await migration.query('UNLOCK TABLES');
    await monitors.waitForHealth(null);
    await monitors.waitFor(ALL_ON);
    expect((await storage.read())?.version).toBe(version);
  });

  it('loses the state with DROP TABLE, DROP DATABASE or TRUNCATE, and is off once it was deleted', async () => {
    const lost = /is gone, although it existed/;
    const options = { url: server.url, table: 'ops.switch' };
    const monitors = await startMonitors(options, 0);
    for (const sql of ['TRUNCATE ops.switch', 'DROP TABLE ops.switch', 'DROP DATABASE ops']) {
      await server.ask(sql);
      await monitors.waitForHealth(lost);
      await monitors.waitFor(FAILING_WHILE_ON);
      await server.ask('CREATE DATABASE IF NOT EXISTS ops');
      await turn(open(options), 'on');
      await monitors.waitForHealth(null);
      await monitors.waitFor(ALL_ON);
    }
    await server.ask(`DELETE FROM ops.switch WHERE instance = ''`);
    await monitors.waitFor(ALL_OFF);
    await monitors.waitForHealth(null);
  });

  it('keeps reading where the server is read-only, and says why it does not write', async () => {
    const options = { url: server.url, key: newKey() };
    const monitors = await startMonitors(options);
    await server.ask('SET GLOBAL read_only = 1');
    try {
      const error = await captureStorageError(turn(open(options), 'off'));
      expect(error).toMatchObject({ code: 'unavailable', message: expect.stringContaining('the server is read-only') });
      await monitors.waitForHealth(null);
      await monitors.waitFor(ALL_ON);
    } finally {
      await server.ask('SET GLOBAL read_only = 0');
    }
    await turn(open(options), 'off');
    await monitors.waitFor(ALL_OFF);
  });

  it('says that no connection is left, and keeps the open ones', async () => {
    const options = { url: server.url, key: newKey() };
    const monitors = await startMonitors(options);
    await server.ask('SET GLOBAL max_connections = 10');
    try {
      const errors: unknown[] = [];
      await until('no connection is left', async () => {
        await open(options)
          .read()
          .catch((error: unknown) => errors.push(error));
        return errors.length > 0;
      });
      expect(errors[0]).toMatchObject({
        code: 'unavailable',
        message: expect.stringContaining('has no free connection (ER_CON_COUNT_ERROR)'),
      });
      await monitors.waitForHealth(null);
      await monitors.waitFor(ALL_ON);
    } finally {
      await server.ask('SET GLOBAL max_connections = 151');
    }
    await turn(open(options), 'off');
    await monitors.waitFor(ALL_OFF);
  });

  it('keeps open connections when the password changes, and reports it for new ones', async () => {
    const options = { url: server.url, key: newKey() };
    const monitors = await startMonitors(options);
    const { user, password } = MysqlServer.USER;
    await server.ask(`ALTER USER '${user}'@'%' IDENTIFIED BY 'new'`);
    await monitors.waitForHealth(null);
    await server.killConnections(user);
    await monitors.waitForHealth(/wrong user name or password/);
    await monitors.waitFor(FAILING_WHILE_ON);
    expect((await captureStorageError(turn(open(options), 'off'))).code).toBe('denied');
    await server.ask(`ALTER USER '${user}'@'%' IDENTIFIED BY '${password}'`);
    await monitors.waitForHealth(null);
    await monitors.waitFor(ALL_ON);
  });

  it.each([
    [
      'restarted',
      () => server.kill(),
      () => server.restart(),
      /connection refused|closed the connection|ended the connection/,
    ],
    ['suspended', () => server.suspend(), async () => server.signal('SIGCONT'), /no answer/],
  ] as const)(
    'answers by onStorageFailure while the server is %s',
    async (_title, breaks, mends, reason) => {
      const options = { url: server.url, key: newKey() };
      const monitors = await startMonitors(options);
      const storage = open(options);
      const version = (await storage.read())!.version;
      await breaks();
      try {
        const time = await measureTime(() => captureStorageError(storage.read()));
        expect(time).toBeLessThan(TIMEOUT + SLACK);
        await monitors.waitForHealth(reason);
        await monitors.waitFor(FAILING_WHILE_ON);
      } finally {
        await mends();
      }
      await monitors.waitForHealth(null);
      expect((await storage.read())?.version).toBe(version);
      await turn(storage, 'off');
      await monitors.waitFor(ALL_OFF);
    },
    60_000,
  );

  it('keeps all confirmed writes when the server is killed', async () => {
    const url = `${server.url}?key=${newKey()}`;
    const writer = new WriterProcess(url, 'writer');
    await writer.start();
    await writer.confirms(20);
    await server.kill();
    await writer.kill();
    await server.restart();
    const markers = (await open({ url }).read())!.state.markers as string[];
    expect(markers.slice(0, writer.confirmed.length)).toEqual(writer.confirmed.map(({ marker }) => marker));
    expect(markers.length - writer.confirmed.length).toBeLessThanOrEqual(1);
  }, 60_000);

  // MySQL does not answer, and ends.
  const itOnMariadb = findMysqlServer()?.isMariadb ? it : it.skip;

  itOnMariadb('reports a full disk; reads continue, and writes work again once there is space', async () => {
    await server.ask('CREATE DATABASE small');
    const disk = SmallDisk.mount(join(server.folder, 'data', 'small'), 8);
    if (!disk) return;
    closeLater(disk, async () => {
      await server.ask('DROP TABLE small.maintenance_state');
      disk.unmount();
    });
    await server.ask(createMysqlTableSql('small.maintenance_state'));
    await server.ask(`GRANT ALL ON small.* TO '${MysqlServer.USER.user}'@'%'`);
    const options = { url: server.url, table: 'small.maintenance_state', key: newKey() };
    const monitors = await startMonitors(options);
    await disk.fill();
    const storage = open(options);
    const { state, version } = (await storage.read())!;
    // More than InnoDB has reserved.
    const large = { ...state, revision: state.revision + 1, filler: randomBytes(400_000).toString('hex') };
    expect(await captureStorageError(storage.write(large, version))).toMatchObject({
      code: 'unavailable',
      message: expect.stringContaining('the disk of the server is full (ER_RECORD_FILE_FULL)'),
    });
    expect((await storage.read())?.version).toBe(version);
    await monitors.waitForHealth(null);
    await monitors.waitFor(ALL_ON);
    await disk.empty();
    await until('a write succeeds', async () => {
      await turn(storage, 'off').catch(() => undefined);
      return (await storage.read())!.state.windows.length === 0;
    });
    await monitors.waitFor(ALL_OFF);
  });
});

describeWithMysql('MysqlStateStorage with a replica', () => {
  it('fails over to it: reads at once, writes once it is the primary', async () => {
    const starts = [MysqlServer.start('--log-bin', '--server-id=1'), MysqlServer.start('--server-id=2')] as const;
    const [primary, replica] = await Promise.all(starts);
    for (const server of [primary, replica]) closeLater(server, () => server.stop());
    const proxy = closeLater(await Proxy.to(primary.port), (one) => one.close());
    await replica.replicate(primary);
    const url = primary.getUrl(Number(new URL(proxy.url).port));
    const monitors = await startMonitors({ url });
    const onReplica = open({ url: replica.url });
    await until('the replica has the state', async () => (await onReplica.read()) !== null);
    expect((await captureStorageError(turn(onReplica, 'off'))).message).toContain('the server is read-only');

    await primary.kill();
    await monitors.waitForHealth(/connection refused|closed the connection|ended the connection/);
    await monitors.waitFor(FAILING_WHILE_ON);
    proxy.target = replica.port;
    await monitors.waitForHealth(null);
    await monitors.waitFor(ALL_ON);
    const operator = open({ url });
    expect((await captureStorageError(turn(operator, 'off'))).message).toContain('the server is read-only');
    await replica.promote();
    await turn(operator, 'off');
    await monitors.waitFor(ALL_OFF);

    // The new primary becomes read-only in turn, and the address leads to the old one: without a broken connection.
    await primary.restart();
    const pool = closeLater(createPool({ uri: url, connectionLimit: 1 }), (created) => created.end());
    const operators = [operator, open({ pool })];
    await Promise.all(operators.map((one) => one.read()));
    await replica.ask('SET GLOBAL read_only = 1');
    proxy.target = primary.port;
    for (const one of operators) {
      const next = { ...createState(99), lineage: randomBytes(8).toString('hex') };
      const { version } = (await one.read())!;
      expect((await captureStorageError(one.write(next, version))).message).toContain('the server is read-only');
      await one.write(next, (await one.read())!.version);
    }
  }, 90_000);
});
