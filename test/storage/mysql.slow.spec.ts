import { createPool as createCallbackPool } from 'mysql2';
import { createPool } from 'mysql2/promise';
import { inspect } from 'node:util';
import type { InstanceReport } from '../../libs/maintenance/src/core/instance-report.js';
import type { MaintenanceState } from '../../libs/maintenance/src/core/maintenance-state.js';
import { MysqlStateStorage, type MysqlStateStorageOptions } from '../../libs/maintenance/src/mysql.js';
import { createStorage as createStorageByUrl } from '../../libs/maintenance/src/storage/create-storage.js';
import { createMysqlTableSql } from '../../libs/maintenance/src/storage/mysql/mysql-statements.js';
import { describeStateStorage } from '../../libs/maintenance/src/testing/describe-state-storage.js';
import { until } from '../tools/waiting.js';
import { closeLater } from '../tools/close-later.js';
import { captureStorageError } from './capture-storage-error.js';
import { UNUSUAL_KEYS } from './monitors.js';
import { describeWithMysql, MysqlServer } from './mysql-server.js';
import { WriterProcess } from './writer-process.js';

const TIMEOUT_MS = 2_000;
const REPORT_TTL_MS = 1_000;

let keys = 0;
const newKey = (): string => `key-${++keys}`;

function createState(revision: number): MaintenanceState {
  return { format: 1, lineage: 'spec', revision, windows: [], history: [] };
}

function createReport(id: string): InstanceReport {
  const seenAt = new Date().toISOString();
  return { id, host: 'h', pid: 1, lineage: null, revision: 0, inFlight: 0, streams: 0, seenAt };
}

function createStorage(options: MysqlStateStorageOptions): MysqlStateStorage {
  return closeLater(new MysqlStateStorage({ timeout: TIMEOUT_MS, ...options }), (storage) => storage.close());
}

describe('MysqlStateStorage URL and location', () => {
  it.each([
    ['mysql://db.internal/ops', 'mysql://db.internal:3306/ops?table=maintenance_state&key=default'],
    ['mariadb://shop@[::1]:7000/ops?key=shop', 'mysql://[::1]:7000/ops?table=maintenance_state&key=shop'],
    [
      'mysql://shop:p%40ss@10.0.0.5/ops?table=sys.modes&key=a%26b',
      'mysql://10.0.0.5:3306/ops?table=sys.modes&key=a%26b',
    ],
  ])('resolves %s to the location %s', async (url, location) => {
    expect((await createStorageByUrl(url)).location).toBe(location);
    expect((await createStorageByUrl(location)).location).toBe(location);
  });

  it.each([
    ['mysql:', /is not a MySQL URL; expected a URL such as mysql:\/\/user@host/],
    ['mysql://host', /has no database/],
    ['mysql://host/a/b', /has no database/],
    ['mysql://host/ops?ttl=5', /has the unknown parameter "ttl"/],
    ['mysql://host/ops?key=', /must have at most one key/],
    ['mysql://host/ops?key=a&key=b', /must have at most one key/],
    ['mysql://host/ops?ssl-mode=yes', /must have one of DISABLED, REQUIRED, VERIFY_CA, VERIFY_IDENTITY as ssl-mode/],
    ['mysql://host/ops?table=a`b', /"a`b" is not the name of a table/],
    ['mysql://host/ops?key=a%20', /no space at its end/],
    ['mysql://host/ops#key', /"#"/],
    ['mysql://u:p%zz@host/ops', /"%"/],
  ])('refuses %s with one sentence', async (url, sentence) => {
    await expect(createStorageByUrl(url)).rejects.toThrow(sentence);
  });

  it.each([
    'mysql://shop:top-secret@host',
    'mysql://shop:top-secret/@host/ops?x=top-secret',
    'mysql://top-secret%zz@h/o',
    'mysql://host/shop:top-secret@db',
  ])('does not reveal the credentials of %s in the error', async (url) => {
    const refused = expect(createStorageByUrl(url)).rejects;
    await refused.toThrow();
    await refused.not.toThrow(/secret/);
  });

  it('needs a URL or a pool', () => {
    expect(() => new MysqlStateStorage({})).toThrow('MysqlStateStorage requires the option `url` or `pool`');
  });

  it('derives the location from a pool, without its credentials', async () => {
    const options = { host: 'db.internal', database: 'ops', user: 'shop', password: 'top-secret' };
    const pools = [
      closeLater(createPool(options), (pool) => pool.end()),
      closeLater(createCallbackPool(options), (pool) => pool.promise().end()),
    ];
    for (const pool of pools)
      expect(createStorage({ pool, key: 'a' }).location).toBe(
        'mysql://db.internal:3306/ops?table=maintenance_state&key=a',
      );
  });

  it('names the missing package if mysql2 is not installed', async () => {
    jest.resetModules();
    jest.doMock('mysql2/promise', () => {
      throw Object.assign(new Error("Cannot find module 'mysql2'"), { code: 'MODULE_NOT_FOUND' });
    });
    try {
      const { MysqlStateStorage: Fresh } = await import('../../libs/maintenance/src/mysql.js');
      await expect(new Fresh({ url: 'mysql://127.0.0.1:1/ops' }).read()).rejects.toMatchObject({
        code: 'unavailable',
        message: expect.stringContaining('Run npm install mysql2.'),
      });
    } finally {
      jest.dontMock('mysql2/promise');
      jest.resetModules();
    }
  });
});

describeWithMysql('MysqlStateStorage', () => {
  let server: MysqlServer;

  beforeAll(async () => {
    server = await MysqlServer.start();
  }, 60_000);
  afterAll(() => server.stop());

  const put = (key: string) => async (text: string) => {
    const columns = '(`key`, instance, content)';
    const content = `_utf8mb4 X'${Buffer.from(text).toString('hex')}'`;
    await createTable();
    await server.ask(
      `INSERT INTO ops.maintenance_state ${columns} VALUES ('${key}', '', ${content}) ON DUPLICATE KEY UPDATE content = ${content}`,
    );
  };

  /** As a deployment does it, with the output of the command. */
  async function createTable(): Promise<void> {
    await server.ask(createMysqlTableSql('ops.maintenance_state'));
  }

  describeStateStorage('MysqlStateStorage by URL', () => {
    const options = { url: server.url, key: newKey(), reportTtl: REPORT_TTL_MS };
    const create = (): MysqlStateStorage => new MysqlStateStorage(options);
    return { storage: create(), another: create, put: put(options.key), reportTtl: REPORT_TTL_MS };
  });

  // A session as another application may have it: every setting that could change texts, times and counted rows.
  describeStateStorage('MysqlStateStorage with a pool', () => {
    const pool = createPool({
      uri: server.url,
      charset: 'latin1',
      timezone: '+11:00',
      flags: ['-FOUND_ROWS'],
      rowsAsArray: true,
      nestTables: true,
      dateStrings: true,
    });
    pool.on('connection', (connection) => {
      void connection.query(`SET SESSION sql_mode = 'ANSI_QUOTES,NO_BACKSLASH_ESCAPES', time_zone = '-08:00'`);
      void connection.query(`SET SESSION TRANSACTION ISOLATION LEVEL SERIALIZABLE`);
    });
    const options = { pool, key: newKey(), reportTtl: REPORT_TTL_MS };
    const create = (): MysqlStateStorage => new MysqlStateStorage(options);
    const cleanup = async (): Promise<void> => {
      await pool.query({ sql: 'SELECT 1', rowsAsArray: true });
      await pool.end();
    };
    return { storage: create(), another: create, put: put(options.key), reportTtl: REPORT_TTL_MS, cleanup };
  });

  it('takes a pool with callbacks, and does not close it', async () => {
    const pool = closeLater(createCallbackPool(server.url), (created) => created.promise().end());
    const storage = createStorage({ pool, key: newKey() });
    const version = await storage.write(createState(1), null);
    await expect(storage.read()).resolves.toEqual({ state: createState(1), version });
    await storage.close();
    await pool.promise().query('SELECT 1');
    expect((await captureStorageError(storage.read())).message).toMatch(/the storage is closed/);
  });

  it('refuses a pool whose connections do not commit', async () => {
    const pool = closeLater(createPool(server.url), (created) => created.end());
    pool.on('connection', (connection) => void connection.query('SET autocommit = 0'));
    const storage = createStorage({ pool, key: newKey() });
    await createStorage({ url: server.url, key: new URL(storage.location).searchParams.get('key')! }).write(
      createState(1),
      null,
    );
    expect((await captureStorageError(storage.read())).message).toMatch(/SET autocommit = 1/);
  });

  it('has one state for each key, whatever characters it has', async () => {
    const storages = UNUSUAL_KEYS.map((key) => createStorage({ url: server.url, key }));
    for (const [index, storage] of storages.entries()) await storage.write(createState(index), null);
    for (const [index, storage] of storages.entries()) {
      expect((await storage.read())?.state.revision).toBe(index);
      expect(new URL(storage.location).searchParams.get('key')).toBe(UNUSUAL_KEYS[index]);
    }
    const other = createStorage({ url: server.url, key: UNUSUAL_KEYS[0], table: 'another_table' });
    await expect(other.read()).resolves.toBeNull();
  });

  it('writes the same content again under its version', async () => {
    const pool = closeLater(createPool({ uri: server.url, flags: ['-FOUND_ROWS'] }), (created) => created.end());
    const storage = createStorage({ pool, key: newKey() });
    const version = await storage.write(createState(1), null);
    await expect(storage.write(createState(1), version)).resolves.toBe(version);
  });

  it('sends one statement for a read, and two for a write or fewer', async () => {
    const storage = createStorage({ url: server.url, key: newKey() });
    let version = await storage.write(createState(0), null);
    await storage.report(createReport('a'));
    const before = await server.countStatements();
    for (let index = 1; index <= 10; index++) await storage.read();
    expect((await server.countStatements()) - before).toBe(11);
    for (let revision = 1; revision <= 10; revision++) version = await storage.write(createState(revision), version);
    expect((await server.countStatements()) - before).toBe(32);
  });

  it('removes expired reports', async () => {
    const key = newKey();
    const storage = createStorage({ url: server.url, key, reportTtl: 300 });
    await storage.report(createReport('gone'));
    const count = async (): Promise<number> =>
      (await server.ask(`SELECT 1 FROM ops.maintenance_state WHERE \`key\` = '${key}'`)).length;
    expect(await count()).toBe(1);
    await until('a later report removes the first one', async () => {
      await storage.report(createReport('here'));
      return (await storage.reports()).length === 1 && (await count()) === 1;
    });
  });

  it('does not fetch content that is too large to be a state, and can overwrite it', async () => {
    const key = newKey();
    await put(key)('x');
    await server.ask(`UPDATE ops.maintenance_state SET content = REPEAT(' ', 4000000) WHERE \`key\` = '${key}'`);
    const storage = createStorage({ url: server.url, key });
    const error = await captureStorageError(storage.read());
    expect(error).toMatchObject({ code: 'corrupt', message: expect.stringContaining('larger than 1048576 bytes') });
    await storage.write(createState(1), error.version!);
    await expect(storage.read()).resolves.toMatchObject({ state: createState(1) });
  });

  describe('content that is gone', () => {
    it('returns null for a row that was deleted: maintenance is off', async () => {
      const key = newKey();
      const storage = createStorage({ url: server.url, key });
      await storage.write(createState(1), null);
      await server.ask(`DELETE FROM ops.maintenance_state WHERE \`key\` = '${key}' AND instance = ''`);
      await expect(storage.read()).resolves.toBeNull();
      await storage.write(createState(2), null);
      await expect(storage.read()).resolves.toMatchObject({ state: createState(2) });
    });

    it.each([
      ['a table that was emptied', 'TRUNCATE TABLE ops.gone'],
      ['a table that was dropped', 'DROP TABLE ops.gone'],
      ['a database that was dropped', 'DROP DATABASE ops'],
    ])('reports %s as lost, until the next write', async (_what, sql) => {
      const url = `${server.url}?table=gone`;
      const storage = createStorage({ url });
      const another = createStorage({ url });
      await storage.write(createState(1), null);
      await another.read();
      await server.ask(sql);
      for (const known of [storage, another, storage]) {
        const error = await captureStorageError(known.read());
        expect(error).toMatchObject({ code: 'lost', message: expect.stringContaining('is gone, although it existed') });
        if (!sql.startsWith('TRUNCATE'))
          expect((await captureStorageError(known.report(createReport('a')))).code).toBe('unavailable');
      }
      if (sql.includes('DATABASE')) {
        expect((await captureStorageError(createStorage({ url }).read())).message).toMatch(/no such database/);
        await server.ask('CREATE DATABASE ops');
      }
      await expect(createStorage({ url }).read()).resolves.toBeNull();
      await storage.write(createState(2), null);
      await expect(another.read()).resolves.toMatchObject({ state: createState(2) });
      await server.ask('DROP TABLE ops.gone');
    });
  });

  describe('permissions', () => {
    it('works with rights on the table alone, reads with SELECT, and names the missing right', async () => {
      await createTable();
      for (const [user, rights] of [
        ['worker', 'SELECT, INSERT, UPDATE, DELETE'],
        ['reader', 'SELECT'],
      ] as const) {
        await server.createUser(user, 'pw');
        await server.ask(`GRANT ${rights} ON ops.maintenance_state TO '${user}'@'%'`);
      }
      const key = newKey();
      const as = (user: string): MysqlStateStorage =>
        createStorage({ url: `mysql://${user}:pw@127.0.0.1:${server.port}/ops`, key });
      const version = await as('worker').write(createState(1), null);
      await as('worker').report(createReport('a'));
      await expect(as('reader').read()).resolves.toMatchObject({ version });
      const error = await captureStorageError(as('reader').write(createState(2), version));
      expect(error).toMatchObject({
        code: 'denied',
        message: expect.stringMatching(/GRANT SELECT, INSERT, UPDATE, DELETE ON/),
      });
    });

    it('names the command that prints the SQL if the user may not create the table', async () => {
      await server.createUser('poor', 'pw');
      await server.ask(`GRANT INSERT, SELECT, UPDATE ON ops.* TO 'poor'@'%'`);
      const storage = createStorage({ url: `mysql://poor:pw@127.0.0.1:${server.port}/ops?table=missing` });
      await expect(storage.read()).resolves.toBeNull();
      const error = await captureStorageError(storage.write(createState(1), null));
      expect(error).toMatchObject({
        code: 'denied',
        message: expect.stringContaining('`nestjs-maintenance sql mysql`'),
      });
    });

    it('names a wrong password, without it and without the user', async () => {
      const url = `mysql://top-user:top-secret@127.0.0.1:${server.port}/ops`;
      const error = await captureStorageError(createStorage({ url }).read());
      expect(error).toMatchObject({ code: 'denied', message: expect.stringContaining('Correct the URL') });
      expect(inspect(error, { depth: 9, showHidden: true })).not.toMatch(/top-/);
    });

    it('keeps its connection when the password changes, and asks a function for the new one', async () => {
      await server.createUser('rotated', 'one');
      await server.ask(`GRANT ALL ON ops.* TO 'rotated'@'%'`);
      const url = `mysql://rotated@127.0.0.1:${server.port}/ops`;
      const passwords = ['one', 'one', 'two'];
      const storage = createStorage({ url, key: newKey(), password: async () => passwords.shift()! });
      const version = await storage.write(createState(1), null);
      await server.ask(`ALTER USER 'rotated'@'%' IDENTIFIED BY 'two'`);
      await expect(storage.read()).resolves.toMatchObject({ version });
      await server.killConnections('rotated');
      await until('the old password is refused', async () =>
        storage.read().then(
          () => false,
          ({ code }) => code === 'denied',
        ),
      );
      await expect(storage.read()).resolves.toMatchObject({ version });
    });
  });

  it('names a pool whose connections are all in use', async () => {
    const pool = closeLater(createPool({ uri: server.url, connectionLimit: 1 }), (created) => created.end());
    const storage = createStorage({ pool, key: newKey(), timeout: 300 });
    const taken = await pool.getConnection();
    expect((await captureStorageError(storage.read())).message).toMatch(/the pool gave no connection within 0.3 s/);
    taken.release();
    await expect(storage.read()).resolves.toBeNull();
  });

  describe('several processes', () => {
    it('lose no write: 4 with 250 writes each', async () => {
      const url = `${server.url}?key=${newKey()}`;
      const writers = ['a', 'b', 'c', 'd'].map((name) => new WriterProcess(url, name, 250));
      await Promise.all(writers.map((writer) => writer.start()));
      await Promise.all(writers.map((writer) => writer.end()));
      const confirmed = writers.flatMap((writer) => writer.confirmed).sort((a, b) => a.revision - b.revision);
      expect(confirmed.map(({ revision }) => revision)).toEqual(Array.from({ length: 1_000 }, (_, index) => index + 1));
      const { state } = (await createStorage({ url }).read())!;
      expect(state.markers).toEqual(confirmed.map(({ marker }) => marker));
    }, 120_000);

    it('leave the old or the new state when one is killed, and lose nothing when one is suspended', async () => {
      const url = `${server.url}?key=${newKey()}`;
      for (let round = 0; round < 4; round++) {
        const killed = new WriterProcess(url, `killed-${round}`);
        await killed.start();
        await killed.confirms(3);
        killed.signal('SIGSTOP');
        const other = new WriterProcess(url, `other-${round}`, 3);
        await other.start();
        await other.end();
        killed.signal('SIGCONT');
        await killed.confirms(killed.confirmed.length + 3);
        await killed.kill();
        const { state } = (await createStorage({ url }).read())!;
        const markers = state.markers as string[];
        expect(markers).toHaveLength(state.revision);
        for (const { revision, marker } of [...killed.confirmed, ...other.confirmed])
          expect(markers[revision - 1]).toBe(marker);
      }
    }, 60_000);
  });
});
