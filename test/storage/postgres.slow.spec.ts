import { execFileSync } from 'node:child_process';
import { Client, Pool } from 'pg';
import { PostgresStateStorage, type PostgresStateStorageOptions } from '../../libs/maintenance/src/postgres.js';
import { measureTime, until } from '../tools/waiting.js';
import { folderWith, run } from '../cli/program.js';
import { closeLater } from '../tools/close-later.js';
import { captureStorageError } from './capture-storage-error.js';
import {
  ALL_OFF,
  ALL_ON,
  createReport,
  createState,
  FAILING_WHILE_ON,
  Monitors,
  turn,
  UNUSUAL_KEYS,
} from './monitors.js';
import { describeWithPostgres, findPostgresFolder, PostgresServer } from './postgres-server.js';
import { Proxy } from './redis-server.js';

const TIMEOUT = 1_500;
/** A timeout that shows that a call ends before it. */
const NEVER_REACHED = 60_000;
/** Far above what a busy machine adds to a timeout. */
const SLACK = 15_000;
const LOST = /is gone, although it existed/;

let keys = 0;
const newKey = (): string => `key-${keys++}`;

function open(options: PostgresStateStorageOptions): PostgresStateStorage {
  return closeLater(new PostgresStateStorage({ timeout: TIMEOUT, ...options }), (storage) => storage.close());
}

async function connect(url: string): Promise<Client> {
  const client = new Client({ connectionString: url });
  client.on('error', () => undefined);
  await client.connect();
  return closeLater(client, () => client.end());
}

/** Returns the full output of an error, including causes and hidden properties. */
function formatError(error: Error): string {
  const cause = error.cause instanceof Error ? formatError(error.cause) : JSON.stringify(error.cause);
  return [error.message, error.stack, JSON.stringify(error), cause].join('\n');
}

describeWithPostgres('PostgresStateStorage', () => {
  let server: PostgresServer;
  let proxy: Proxy;

  beforeAll(async () => {
    server = await PostgresServer.start('max_connections=30');
    proxy = await Proxy.to(server.port);
  });
  afterAll(async () => {
    await proxy.close();
    await server.stop();
  });

  const askShop = (sql: string): Promise<Record<string, unknown>[]> => server.ask(sql, 'shop');
  const throughProxy = (key: string): string => server.getUrl(Number(new URL(proxy.url).port), `key=${key}`);

  /** Starts three applications with maintenance on. */
  async function startMonitors(options: PostgresStateStorageOptions, graceMs?: number): Promise<Monitors> {
    await turn(open(options), 'on');
    const monitors = closeLater(await Monitors.start(() => open(options), 50, graceMs), (started) => started.stop());
    await monitors.waitFor(ALL_ON);
    return monitors;
  }

  describe('table', () => {
    afterEach(() => askShop('DROP SCHEMA IF EXISTS ops CASCADE; DROP TABLE IF EXISTS maintenance_state'));

    it('is created by the first write, with one row for each key', async () => {
      const first = open({ url: server.url, key: 'first' });
      expect(await first.read()).toBeNull();
      expect(await first.reports()).toEqual([]);
      expect(await askShop(`SELECT 1 FROM pg_tables WHERE tablename = 'maintenance_state'`)).toEqual([]);
      await first.write(createState(1), null);
      const second = open({ url: server.url, key: 'second' });
      expect(await second.read()).toBeNull();
      await second.write(createState(7), null);
      expect((await first.read())?.state.revision).toBe(1);
      await second.report(createReport('b'));
      expect(await first.reports()).toEqual([]);
      expect(await askShop('SELECT key, instance FROM maintenance_state ORDER BY 1, 2')).toEqual([
        { key: 'first', instance: '' },
        { key: 'second', instance: '' },
        { key: 'second', instance: 'b' },
      ]);
    });

    it('is created once by many first writes', async () => {
      const storages = Array.from({ length: 6 }, () => open({ url: server.url, key: newKey() }));
      await Promise.all(storages.map((storage) => storage.write(createState(1), null)));
      for (const storage of storages) expect((await storage.read())?.state.revision).toBe(1);
    });

    it('may have a schema and capital letters', async () => {
      await askShop('CREATE SCHEMA ops AUTHORIZATION shop');
      const storage = open({ url: server.url, table: 'ops.Select' });
      await storage.write(createState(1), null);
      expect(await askShop('SELECT instance FROM ops."Select"')).toEqual([{ instance: '' }]);
      expect(storage.location).toBe(`postgres://127.0.0.1:${server.port}/shop?table=ops.Select&key=default`);
    });

    it('is created by the output of `sql` as the storage finds it', async () => {
      await askShop('CREATE SCHEMA "Ops" AUTHORIZATION shop');
      for (const table of ['Ops.State', 'select', 'a$b', 'x'.repeat(63)]) {
        const { stdout, code } = await run(['sql', 'postgres', '--table', table], { cwd: folderWith() });
        expect(code).toBe(0);
        execFileSync(`${findPostgresFolder()}/psql`, ['-q', '-v', 'ON_ERROR_STOP=1', server.url], { input: stdout });
        const created = await askShop(
          `SELECT count(*)::int AS tables FROM pg_class WHERE relkind = 'r' AND relowner = 'shop'::regrole`,
        );
        await open({ url: server.url, table }).write(createState(1), null);
        expect(
          await askShop(
            `SELECT count(*)::int AS tables FROM pg_class WHERE relkind = 'r' AND relowner = 'shop'::regrole`,
          ),
        ).toEqual(created);
      }
      await askShop('DROP SCHEMA "Ops" CASCADE');
    });

    it('has one state for each key, whatever characters it has', async () => {
      const storages = UNUSUAL_KEYS.map((key) => open({ url: server.url, key }));
      for (const [index, storage] of storages.entries()) await storage.write(createState(index), null);
      for (const [index, storage] of storages.entries()) {
        expect((await storage.read())?.state.revision).toBe(index);
        expect(new URL(storage.location).searchParams.get('key')).toBe(UNUSUAL_KEYS[index]);
      }
      const other = open({ url: server.url, key: UNUSUAL_KEYS[0], table: 'another_table' });
      expect(await other.read()).toBeNull();
    });

    it.each([
      ['maintenance_state', 'the user may not create it (42501)', '`nestjs-maintenance sql postgres` prints'],
      ['ops.switch', 'the schema of ops.switch does not exist', '`nestjs-maintenance sql postgres --table ops.switch`'],
    ])('is explained if it can not be created: %s', async (table, reason, command) => {
      await server.ask(`DROP ROLE IF EXISTS guest; CREATE ROLE guest LOGIN PASSWORD 'secret'`);
      // As it is from Postgres 15.
      await askShop('REVOKE CREATE ON SCHEMA public FROM PUBLIC; GRANT ALL ON SCHEMA public TO shop');
      const storage = open({ url: server.url.replace('//shop:', '//guest:'), table });
      expect(await storage.read()).toBeNull();
      for (const work of [() => storage.write(createState(1), null), () => storage.report(createReport('a'))]) {
        const { message } = await captureStorageError(work());
        expect(message).toContain(reason);
        expect(message).toContain(command);
      }
    });

    it('is not created again by a report while it is restored', async () => {
      const storage = open({ url: server.url });
      await storage.report(createReport('a'));
      await storage.report(createReport('a'));
      await askShop('DROP TABLE maintenance_state');
      expect((await captureStorageError(storage.report(createReport('a')))).message).toContain('(42P01)');
      expect(await storage.read()).toBeNull();
    });

    it('of something else is not changed', async () => {
      await askShop('CREATE TABLE maintenance_state (key text, value text); GRANT ALL ON maintenance_state TO shop');
      const storage = open({ url: server.url });
      const { code, message } = await captureStorageError(storage.write(createState(1), null));
      expect([code, message]).toEqual(['unavailable', expect.stringContaining('is a table of something else')]);
      await captureStorageError(storage.read());
      expect(await askShop('SELECT * FROM maintenance_state')).toEqual([]);
    });

    it('needs no more than the documented permissions', async () => {
      await open({ url: server.url }).write(createState(1), null);
      await askShop(`DROP ROLE IF EXISTS guest; CREATE ROLE guest LOGIN PASSWORD 'secret';
        GRANT SELECT, INSERT, UPDATE, DELETE ON maintenance_state TO guest`);
      const url = server.url.replace('//shop:', '//guest:');
      const storage = open({ url });
      await storage.write(createState(2), (await storage.read())!.version);
      await storage.report(createReport('a'));
      expect(await storage.reports()).toHaveLength(1);
      await askShop('REVOKE UPDATE ON maintenance_state FROM guest');
      const denied = await captureStorageError(storage.write(createState(3), (await storage.read())!.version));
      expect([denied.code, denied.message]).toEqual(['denied', expect.stringContaining('Grant SELECT, INSERT')]);
      await askShop('DROP OWNED BY guest; DROP ROLE guest');
    });
  });

  describe('connection', () => {
    it('tells changes of others at once, and again after its connection was closed', async () => {
      const key = newKey();
      const writer = open({ url: server.url, key });
      let calls = 0;
      await open({ url: server.url, key }).watch(() => calls++);
      let version = await writer.write(createState(1), null);
      await until('the change was told', () => calls > 0);
      await askShop(`SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE query LIKE 'LISTEN%'`);
      const before = calls;
      await until('it has listened again', () => calls > before);
      version = await writer.write(createState(2), version);
      await until('the next change was told', () => calls > before + 1);
      expect((await writer.read())?.version).toBe(version);
    });

    it('is shared with a pool of the application, which stays open', async () => {
      const pool = closeLater(new Pool({ connectionString: server.url, max: 2 }), (one) => one.end());
      const storage = open({ pool, key: 'pooled' });
      expect(storage.location).toBe(`postgres://127.0.0.1:${server.port}/shop?table=maintenance_state&key=pooled`);
      let calls = 0;
      await storage.watch(() => calls++);
      await open({ url: server.url, key: 'pooled' }).write(createState(1), null);
      await until('the change was told', () => calls > 0);
      expect((await storage.read())?.state.revision).toBe(1);
      const { rows } = await pool.query('SHOW statement_timeout');
      expect(rows).toEqual([{ statement_timeout: '0' }]);
      await storage.close();
      expect((await pool.query('SELECT 1 AS one')).rows).toEqual([{ one: 1 }]);
    });

    it('does not wait longer than its timeout for a pool in use', async () => {
      const pool = closeLater(new Pool({ connectionString: server.url, max: 1 }), (one) => one.end());
      const storage = open({ pool, timeout: 200 });
      const client = await pool.connect();
      expect((await captureStorageError(storage.read())).message).toMatch(/gave no answer within 0\.2 s.*pool/);
      client.release();
      await expect(storage.read()).resolves.not.toThrow();
    });

    it('takes the password from a function, PGPASSWORD or the URL, and shows none', async () => {
      const url = server.url.replace(':secret', '');
      const key = newKey();
      await expect(open({ url, key, password: async () => 'secret' }).read()).resolves.toBeNull();
      process.env.PGPASSWORD = 'secret';
      await expect(open({ url, key }).read()).resolves.toBeNull();
      process.env.PGPASSWORD = 'other-secret';
      const wrong = await captureStorageError(open({ url, key }).read());
      delete process.env.PGPASSWORD;
      const missing = await captureStorageError(open({ url, key }).read());
      const inUrl = await captureStorageError(open({ url: url.replace('shop@', 'shop:other-secret@') }).read());
      for (const error of [wrong, missing, inUrl]) {
        expect(error.code).toBe('denied');
        expect(formatError(error)).not.toContain('secret');
      }
      expect(wrong.message).toContain('wrong user name or password (28P01)');
      expect(missing.message).toContain('the server requires a password');
    });

    it.each([
      ['a port without a server', () => 'postgres://shop@127.0.0.1:1/shop', /connection refused \(ECONNREFUSED\)/],
      ['an unknown host', () => 'postgres://shop@no-such-host.invalid/shop', /host not found/],
      ['an unknown database', () => server.url.replace(/shop$/, 'nope'), /no such database \(3D000\)/],
      ['TLS where there is none', () => `${server.url}?sslmode=verify-full`, /does not use TLS/],
    ])('explains %s', async (_title, getUrl, reason) => {
      const error = await captureStorageError(open({ url: getUrl() }).read());
      expect([error.code, error.message]).toEqual(['unavailable', expect.stringMatching(reason)]);
      expect(formatError(error)).not.toContain('secret');
    });

    it('finds out whether a write without an answer has taken effect', async () => {
      const key = newKey();
      const storage = open({ url: throughProxy(key) });
      const first = await storage.write(createState(1), null);
      proxy.cutNextAnswer(0);
      const second = await storage.write(createState(2), first);
      expect(await storage.read()).toEqual({ state: createState(2), version: second });
      proxy.cutNextCommand();
      const lost = await captureStorageError(storage.write(createState(3), second));
      expect([lost.code, lost.message]).toEqual(['unavailable', expect.stringContaining('has not taken effect')]);
      proxy.cutNextCommand(() => open({ url: server.url, key }).write(createState(9, 'other'), second));
      expect((await captureStorageError(storage.write(createState(3), second))).code).toBe('conflict');
    });

    it('reports conflicts also where transactions are serializable', async () => {
      await askShop(`ALTER DATABASE shop SET default_transaction_isolation = 'serializable'`);
      const key = newKey();
      const version = await open({ url: server.url, key }).write(createState(0), null);
      const storages = Array.from({ length: 6 }, () => open({ url: server.url, key }));
      const codes = await Promise.all(
        storages.map((storage) =>
          storage.write(createState(1), version).then(
            () => 'written',
            (error) => error.code,
          ),
        ),
      );
      await askShop('ALTER DATABASE shop RESET default_transaction_isolation');
      expect(codes.sort()).toEqual([...Array<string>(5).fill('conflict'), 'written']);
    });
  });

  describe('faults', () => {
    it('answers by onStorageFailure while the table is locked, and leaves no statement behind', async () => {
      const key = newKey();
      const monitors = await startMonitors({ url: server.url, key });
      const migration = await connect(server.url);
      await migration.query('BEGIN; LOCK TABLE maintenance_state IN ACCESS EXCLUSIVE MODE');
      const storage = open({ url: server.url, key, timeout: NEVER_REACHED / 40 });
      for (const work of [() => storage.read(), () => turn(storage, 'off')]) {
        expect((await captureStorageError(work())).message).toContain('the table maintenance_state is locked (55P03)');
      }
      await monitors.waitForHealth(/is locked \(55P03\)/);
      await monitors.waitFor(FAILING_WHILE_ON);
      const { length } = await askShop(`SELECT 1 FROM pg_stat_activity WHERE wait_event_type = 'Lock'`);
      expect(length).toBeLessThanOrEqual(4);
      await migration.query('ROLLBACK');
      await monitors.waitForHealth(null);
      await monitors.waitFor(ALL_ON);
    });

    it('loses the state with DROP SCHEMA or TRUNCATE, finds it again in a backup, and is off once it was deleted', async () => {
      const url = server.url;
      const options = { url, table: 'work.switch' };
      await askShop('CREATE SCHEMA work AUTHORIZATION shop');
      const monitors = await startMonitors(options, 0);
      const program = (name: string): string => `${findPostgresFolder()}/${name}`;
      const dump = execFileSync(program('pg_dump'), ['--schema=work', url]);
      await turn(open(options), 'on');

      await askShop('DROP SCHEMA work CASCADE');
      await monitors.waitForHealth(LOST);
      await monitors.waitFor(FAILING_WHILE_ON);
      // Statement by statement: the table is empty in between.
      await askShop('CREATE SCHEMA work AUTHORIZATION shop');
      const [createTable, copy] = splitDump(dump.toString());
      execFileSync(program('psql'), ['-q', '-v', 'ON_ERROR_STOP=1', url], { input: createTable });
      await monitors.waitForHealth(LOST);
      await monitors.waitFor(FAILING_WHILE_ON);
      execFileSync(program('psql'), ['-q', '-v', 'ON_ERROR_STOP=1', url], { input: copy });
      await monitors.waitForHealth(null);
      await monitors.waitFor(ALL_ON);

      await askShop('TRUNCATE work.switch');
      await monitors.waitForHealth(LOST);
      await monitors.waitFor(FAILING_WHILE_ON);
      await turn(open(options), 'on');
      await monitors.waitForHealth(null);
      await monitors.waitFor(ALL_ON);

      await askShop('DELETE FROM work.switch');
      await monitors.waitFor(ALL_OFF);
      await monitors.waitForHealth(null);
    });

    it('ends a window that was lost with off', async () => {
      const options = { url: server.url, table: 'dropped', key: newKey() };
      const monitors = await startMonitors(options);
      await askShop('DROP TABLE dropped');
      await monitors.waitForHealth(LOST);
      await turn(open(options), 'off');
      await monitors.waitFor(ALL_OFF);
      await monitors.waitForHealth(null);
    });

    it('keeps reading where writes are not permitted, and says why', async () => {
      const key = newKey();
      const monitors = await startMonitors({ url: server.url, key });
      await askShop('ALTER ROLE shop SET default_transaction_read_only = on');
      const storage = open({ url: server.url, key });
      expect((await captureStorageError(turn(storage, 'off'))).message).toContain('is a replica or read-only (25006)');
      await monitors.waitForHealth(null);
      await monitors.waitFor(ALL_ON);
      await askShop('ALTER ROLE shop RESET default_transaction_read_only');
      // The connection is dropped, so that the next one has the new setting.
      await turn(storage, 'off');
      await monitors.waitFor(ALL_OFF);
    });

    it('says that no connection is left, and works again once there is one', async () => {
      const key = newKey();
      const storage = open({ url: server.url, key });
      await askShop('ALTER ROLE shop CONNECTION LIMIT 0');
      expect((await captureStorageError(storage.read())).message).toContain('no connection left (53300)');
      await askShop('ALTER ROLE shop CONNECTION LIMIT -1');
      const clients = await fillConnections();
      const error = await captureStorageError(storage.read());
      expect([error.code, error.message]).toEqual(['unavailable', expect.stringContaining('(53300)')]);
      await Promise.all(clients.map((client) => client.end()));
      await expect(storage.read()).resolves.toBeNull();
    });

    async function fillConnections(): Promise<Client[]> {
      const clients: Client[] = [];
      for (;;) {
        const client = new Client({ connectionString: server.url });
        client.on('error', () => undefined);
        try {
          await client.connect();
        } catch {
          return clients;
        }
        clients.push(client);
      }
    }

    it('keeps open connections when the password changes, and reports it for new ones', async () => {
      const key = newKey();
      const monitors = await startMonitors({ url: server.url, key });
      await askShop(`ALTER ROLE shop PASSWORD 'new'`);
      await monitors.waitForHealth(null);
      await askShop(`SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'shop'`);
      await monitors.waitForHealth(/wrong user name or password \(28P01\)/);
      await monitors.waitFor(FAILING_WHILE_ON);
      expect((await captureStorageError(turn(open({ url: server.url, key }), 'off'))).code).toBe('denied');
      await askShop(`ALTER ROLE shop PASSWORD 'secret'`);
      await monitors.waitForHealth(null);
    });

    it.each([
      [
        'restarted',
        () => server.kill(),
        () => server.restart(),
        /connection refused|closed the connection|starting|stopped/,
      ],
      ['suspended', () => server.signal('SIGSTOP'), () => server.signal('SIGCONT'), /gave no answer/],
    ] as const)('answers by onStorageFailure while the server is %s', async (_title, breaks, mends, reason) => {
      const key = newKey();
      const monitors = await startMonitors({ url: server.url, key });
      const storage = open({ url: server.url, key });
      await breaks();
      const elapsed = await measureTime(() => captureStorageError(storage.read()));
      expect(elapsed).toBeLessThan(TIMEOUT + SLACK);
      await monitors.waitForHealth(reason);
      await monitors.waitFor(FAILING_WHILE_ON);
      await mends();
      await monitors.waitForHealth(null);
      await turn(storage, 'off');
      await monitors.waitFor(ALL_OFF);
    });
  });
});

/** Splits a dump into what creates the table, and what fills it. */
function splitDump(dump: string): [createTable: string, copy: string] {
  const withoutSchema = dump.replace(/^(?:CREATE SCHEMA|\\restrict|\\unrestrict) .*$/gm, '');
  const index = withoutSchema.indexOf('COPY ');
  return [withoutSchema.slice(0, index), withoutSchema.slice(index)];
}
