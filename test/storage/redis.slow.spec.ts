import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { mkdir } from 'node:fs/promises';
import { createServer, type AddressInfo } from 'node:net';
import { join } from 'node:path';
import { createClient, createCluster } from 'redis';
import type { InstanceReport } from '../../libs/maintenance/src/core/instance-report.js';
import { SystemClock } from '../../libs/maintenance/src/utils/clock.js';
import type { MaintenanceState } from '../../libs/maintenance/src/core/maintenance-state.js';
import { StateMonitor } from '../../libs/maintenance/src/core/state-monitor.js';
import type { MaintenanceStorageError } from '../../libs/maintenance/src/errors/maintenance-storage.error.js';
import { RedisStateStorage, type RedisStateStorageOptions } from '../../libs/maintenance/src/redis.js';
import { StateWriter } from '../../libs/maintenance/src/storage/state-writer.js';
import { createStorage } from '../../libs/maintenance/src/storage/create-storage.js';
import { describeStateStorage } from '../../libs/maintenance/src/testing/describe-state-storage.js';
import { describeWithRedis, Proxy, RedisServer } from './redis-server.js';
import { measureTime, until } from '../tools/waiting.js';
import { closeLater } from '../tools/close-later.js';
import { captureStorageError } from './capture-storage-error.js';

/** For tests that wait for it, long enough for an answer on a busy machine. */
const TIMEOUT = 1_500;
/** Far above what a busy machine adds to a timeout, far below the timeout of a test and {@link NEVER_REACHED}. */
const SLACK = 15_000;
/** A timeout that no call reaches, on a busy machine either: for all tests that do not wait for one. */
const NEVER_REACHED = 60_000;
const LINEAGE = 'spec';

type Client = ReturnType<typeof createClient>;

function createState(revision: number, lineage = LINEAGE): MaintenanceState {
  return { format: 1, lineage, revision, windows: [], history: [] };
}

function createReport(id: string): InstanceReport {
  const seenAt = new Date().toISOString();
  return { id, host: 'h', pid: 1, lineage: null, revision: 0, inFlight: 0, streams: 0, seenAt };
}

// A server given by TEST_REDIS_URL must be left unchanged.
const RUN = `maintenance_${randomBytes(4).toString('hex')}`;
let keys = 0;
function newKey(): string {
  return `${RUN}_${keys++}`;
}

/** Returns the full output of an error, including causes and hidden properties. */
function formatError(error: Error): string {
  const cause = error.cause instanceof Error ? formatError(error.cause) : JSON.stringify(error.cause);
  return [error.message, error.stack, JSON.stringify(error), cause].join('\n');
}

async function server(...settings: string[]): Promise<RedisServer> {
  return closeLater(await RedisServer.start(...settings), (started) => started.stop());
}

function createRedisStorage(options: RedisStateStorageOptions): RedisStateStorage {
  return closeLater(new RedisStateStorage({ timeout: NEVER_REACHED, ...options }), (storage) => storage.close());
}

async function connectClient(url: string): Promise<Client> {
  const client = createClient({ url }).on('error', () => undefined);
  await client.connect();
  closeLater(client, () => client.destroy());
  return client as Client;
}

interface Followed {
  monitor: StateMonitor;
  health: (string | null)[];
  isOn: () => boolean;
}

/** Creates a monitor as in an application, with the given poll interval. */
async function follow(storage: RedisStateStorage, refreshInterval: number): Promise<Followed> {
  const health: (string | null)[] = [];
  const monitor = new StateMonitor({
    source: storage,
    clock: new SystemClock(),
    refreshInterval,
    onStorageFailure: 'last-known',
    onHealthChange: (error) => health.push(error && ((error as MaintenanceStorageError).code ?? error.message)),
  });
  closeLater(monitor, () => monitor.stop());
  await monitor.start();
  return { monitor, health, isOn: () => monitor.getSnapshot().active.length > 0 };
}

async function turn(storage: RedisStateStorage, on: boolean): Promise<void> {
  const now = new Date().toISOString();
  const window = { id: 'a', scope: '*', mode: 'full' as const, startsAt: now, endsAt: null, createdAt: now };
  await new StateWriter(storage, new SystemClock()).change(
    () => ({ action: on ? 'on' : 'off', windows: on ? [window] : [], affected: [window] }),
    { via: 'cli' },
  );
}

describe('RedisStateStorage URL and location', () => {
  it.each([
    ['redis://cache.internal', 'redis://cache.internal:6379/0?key=maintenance_state'],
    ['rediss://cache.internal:6380/3?key=shop:mode', 'rediss://cache.internal:6380/3?key=shop:mode'],
    ['redis://shop:p%40ss@10.0.0.5/1?key={shop}:mode', 'redis://10.0.0.5:6379/1?key={shop}:mode'],
    ['redis://:secret@[::1]:7000', 'redis://[::1]:7000/0?key=maintenance_state'],
    ['redis://host/?key=a%26b%20c%40d', 'redis://host:6379/0?key=a%26b%20c%40d'],
  ])('resolves %s to the location %s', async (url, location) => {
    expect((await createStorage(url)).location).toBe(location);
    expect((await createStorage(location)).location).toBe(location);
  });

  it.each([
    ['redis:', /is not a Redis URL; expected a URL such as redis:\/\/host:6379/],
    ['redis://', /is not a Redis URL|has no host/],
    ['redis://host:port', /is not a Redis URL/],
    ['redis://host/db', /has a database that is not a number/],
    ['redis://host/0/1', /has a database that is not a number/],
    ['redis://host?ttl=5', /has the unknown parameter "ttl"/],
    ['redis://host?key=', /must have at most one key/],
    ['redis://host?key=a&key=b', /must have at most one key/],
    ['redis://host#key', /"#"/],
    ['redis://u:p%zz@host', /"%"/],
    ['redis://host?key=a}b', /the key "a}b" has braces that are not a hash tag/],
  ])('refuses %s with one sentence', async (url, sentence) => {
    await expect(createStorage(url)).rejects.toThrow(sentence);
  });

  it.each([
    'redis://shop:top-secret@host/db',
    'redis://shop:top-secret@host:x',
    'redis://shop:top-secret/@host?password=top-secret&x=1',
    'redis://top-secret%zz@host',
    'redis://:top-secret@host?ttl=top-secret',
  ])('does not reveal the credentials of %s in the error', async (url) => {
    const refused = expect(createStorage(url)).rejects;
    await refused.toThrow();
    await refused.not.toThrow(/secret/);
  });

  it('needs a URL or a client', () => {
    expect(() => new RedisStateStorage({})).toThrow('RedisStateStorage requires the option `url` or `client`');
  });

  it('derives the location from a client without its credentials', async () => {
    const url = 'rediss://shop:top-secret@cache.internal:6390/4';
    const clients = [
      [createClient({ url }), 'rediss://cache.internal:6390/4?key=a'],
      [createClient({ socket: { host: '::1' }, password: 'top-secret' }), 'redis://[::1]:6379/0?key=a'],
      [
        createCluster({ rootNodes: [{ url }, { socket: { host: 'b', port: 1 } }] }),
        'rediss://cache.internal:6390,b:1/0?key=a',
      ],
    ] as const;
    for (const [client, location] of clients) expect(createRedisStorage({ client, key: 'a' }).location).toBe(location);
    const error = await captureStorageError(createRedisStorage({ client: clients[0][0] }).read());
    expect(error.message).toContain('the given client is not connected. Call its connect() first.');
    clients[0][0].destroy();
    clients[1][0].destroy();
  });

  it('names the missing package if redis is not installed', async () => {
    jest.resetModules();
    jest.doMock('redis', () => {
      throw Object.assign(new Error("Cannot find module 'redis'"), { code: 'MODULE_NOT_FOUND' });
    });
    try {
      const { RedisStateStorage: Fresh } = await import('../../libs/maintenance/src/redis.js');
      const storage = new Fresh({ url: 'redis://127.0.0.1:1' });
      await expect(storage.read()).rejects.toMatchObject({
        code: 'unavailable',
        message: expect.stringContaining('Run npm install redis.'),
      });
      const end = await storage.watch(() => undefined);
      await end();
    } finally {
      jest.dontMock('redis');
      jest.resetModules();
    }
  });
});

describeWithRedis('RedisStateStorage', () => {
  let shared: RedisServer;
  let sharedUrl: string;
  let admin: Client;

  beforeAll(async () => {
    shared = await RedisServer.start();
    sharedUrl = process.env.TEST_REDIS_URL || shared.url;
    admin = createClient({ url: sharedUrl });
    await admin.connect();
  });

  afterAll(async () => {
    for (const database of [7, 0]) {
      await admin.select(database);
      const left = await admin.keys(`*${RUN}*`);
      if (left.length > 0) await admin.del(left);
    }
    admin.destroy();
    await shared.stop();
  });

  const put = (key: string) => async (text: string) => void (await admin.set(key, text));
  const remove = (key: string) => async () =>
    void (await admin.del([key, `{${key}}:instances`, `{${key}}:instances:expiries`]));

  describeStateStorage('RedisStateStorage by URL', () => {
    const key = newKey();
    const create = (): RedisStateStorage =>
      new RedisStateStorage({ url: sharedUrl, key, reportTtl: 1_000, timeout: NEVER_REACHED });
    return { storage: create(), another: create, put: put(key), reportTtl: 1_000, cleanup: remove(key) };
  });

  describeStateStorage('RedisStateStorage with a client', async () => {
    const key = newKey();
    const client = await createClient({ url: sharedUrl }).connect();
    const create = (): RedisStateStorage =>
      new RedisStateStorage({ client, key, reportTtl: 1_000, timeout: NEVER_REACHED });
    const cleanup = async (): Promise<void> => {
      await remove(key)();
      expect(await client.ping()).toBe('PONG');
      client.destroy();
    };
    return { storage: create(), another: create, put: put(key), reportTtl: 1_000, cleanup };
  });

  describe('stored content', () => {
    it('reports a deleted key as lost, unlike one that never existed, until the next write', async () => {
      const key = newKey();
      const storage = createRedisStorage({ url: sharedUrl, key });
      await expect(storage.read()).resolves.toBeNull();
      await storage.write(createState(1), null);
      await admin.del(key);
      const error = await captureStorageError(storage.read());
      expect(error).toMatchObject({
        code: 'lost',
        message: expect.stringContaining(`?key=${key} is gone, although it existed`),
      });
      await expect(createRedisStorage({ url: sharedUrl, key }).read()).resolves.toBeNull();
      expect((await captureStorageError(storage.write(createState(2), 'old'))).code).toBe('conflict');
      expect((await captureStorageError(storage.read())).code).toBe('lost');
      const version = await storage.write(createState(2), null);
      await expect(storage.read()).resolves.toEqual({ state: createState(2), version });
    });

    it('reports a deleted key as lost to a handle that only read it, and reads later writes of others', async () => {
      const key = newKey();
      const reader = createRedisStorage({ url: sharedUrl, key });
      const writer = createRedisStorage({ url: sharedUrl, key });
      await writer.write(createState(1), null);
      await reader.read();
      await admin.del(key);
      expect((await captureStorageError(reader.read())).code).toBe('lost');
      await writer.write(createState(1, 'other'), null);
      await expect(reader.read()).resolves.toMatchObject({ state: createState(1, 'other') });
    });

    it('returns a version for content that is not valid UTF-8', async () => {
      const key = newKey();
      await admin.set(key, Buffer.from([0xff, 0xfe, 0x00, 0x80]));
      const storage = createRedisStorage({ url: sharedUrl, key });
      const error = await captureStorageError(storage.read());
      expect(error).toMatchObject({ code: 'corrupt', message: expect.stringMatching(/binary data.*--force/) });
      await storage.write(createState(1), error.version!);
      await expect(storage.read()).resolves.toMatchObject({ state: createState(1) });
    });

    it('does not fetch a value that is too large to be a state, and can overwrite it', async () => {
      const key = newKey();
      await admin.set(key, Buffer.alloc(8 * 1024 * 1024, ' '));
      const storage = createRedisStorage({ url: sharedUrl, key });
      const sent = async (): Promise<number> =>
        Number(/total_net_output_bytes:(\d+)/.exec(String(await admin.info('stats')))![1]);
      const before = await sent();
      const error = await captureStorageError(storage.read());
      expect(error).toMatchObject({ code: 'corrupt', message: expect.stringContaining('larger than 1048576 bytes') });
      expect((await sent()) - before).toBeLessThan(2 * 1024 * 1024);
      expect((await captureStorageError(storage.read())).version).toBe(error.version);
      expect((await captureStorageError(storage.write(createState(1), 'another'))).code).toBe('conflict');
      await storage.write(createState(1), error.version!);
      await expect(storage.read()).resolves.toMatchObject({ state: createState(1) });
      const large = await captureStorageError(
        storage.write({ ...createState(2), notes: 'x'.repeat(1024 * 1024) }, null),
      );
      expect(large).toMatchObject({ code: 'unavailable', message: expect.stringContaining('the limit is 1048576') });
    });

    it('distinguishes an empty value from a missing key', async () => {
      const key = newKey();
      const storage = createRedisStorage({ url: sharedUrl, key });
      await expect(storage.read()).resolves.toBeNull();
      await admin.set(key, '');
      expect((await captureStorageError(storage.read())).code).toBe('corrupt');
    });

    it('does not overwrite a key of another Redis type', async () => {
      const key = newKey();
      await admin.rPush(key, 'mine');
      const storage = createRedisStorage({ url: sharedUrl, key });
      for (const work of [storage.read(), storage.write(createState(1), null)]) {
        const error = await captureStorageError(work);
        expect(error).toMatchObject({
          code: 'corrupt',
          message: expect.stringMatching(/the key is not a string.*DEL/),
        });
        expect(error.version).toBeUndefined();
      }
      expect((await captureStorageError(turn(storage, true))).code).toBe('corrupt');
      expect(await admin.lRange(key, 0, -1)).toEqual(['mine']);
    });

    it('uses the database number of the URL', async () => {
      const key = newKey();
      const url = Object.assign(new URL(sharedUrl), { pathname: '/7' }).href;
      await createRedisStorage({ url, key }).write(createState(1), null);
      expect(await admin.exists(key)).toBe(0);
      await expect(createRedisStorage({ url: `${url}?key=${key}` }).read()).resolves.toMatchObject({
        state: createState(1),
      });
    });

    it('keeps reports in two keys that expire with the last report', async () => {
      const key = newKey();
      const storage = createRedisStorage({ url: sharedUrl, key, reportTtl: 300 });
      await storage.report(createReport('a'));
      await createRedisStorage({ url: sharedUrl, key, reportTtl: 60_000 }).report(createReport('b'));
      await storage.report(createReport('a'));
      await admin.hSet(`{${key}}:instances`, 'b', '{"id":');
      expect(await admin.hLen(`{${key}}:instances`)).toBe(2);
      await until('one report is over', async () => (await storage.reports()).length === 0);
      expect(await admin.keys(`{${key}}*`)).toHaveLength(2);
      expect(await admin.pTTL(`{${key}}:instances`)).toBeGreaterThan(50_000);
      await storage.report(createReport('c'));
      expect((await admin.hKeys(`{${key}}:instances`)).sort()).toEqual(['b', 'c']);
      const own = newKey();
      await createRedisStorage({ url: sharedUrl, key: own, reportTtl: 50 }).report(createReport('a'));
      await until('nothing is left', async () => (await admin.keys(`*${own}*`)).length === 0);
    });

    it('sends no write commands while reading', async () => {
      const key = newKey();
      const storage = createRedisStorage({ url: sharedUrl, key });
      await storage.read();
      await storage.reports();
      const end = await storage.watch(() => undefined);
      expect(await admin.keys(`*${key}*`)).toEqual([]);
      await end();
    });
  });

  describe('watch', () => {
    it('calls back for each write, long before the refresh interval', async () => {
      const key = newKey();
      const writer = createRedisStorage({ url: sharedUrl, key });
      const { monitor } = await follow(createRedisStorage({ url: sharedUrl, key }), 60_000);
      let version: string | null = null;
      for (let revision = 1; revision <= 20; revision++) {
        version = await writer.write(createState(revision), version);
        await until('the monitor has it', () => monitor.state?.revision === revision);
      }
    });

    it('calls back after a reconnect, so that changes published in between are not missed', async () => {
      const key = newKey();
      const proxy = closeLater(await Proxy.to(shared.port), (started) => started.close());
      const { monitor } = await follow(createRedisStorage({ url: proxy.url, key }), 60_000);
      const writer = createRedisStorage({ url: shared.url, key });
      const before = proxy.connections;
      proxy.cut();
      await writer.write(createState(1), null);
      await until('the monitor has it', () => monitor.state?.revision === 1);
      expect(proxy.connections).toBeGreaterThan(before);
      // The subscription works again.
      await writer.write(createState(2), (await writer.read())!.version);
      await until('the monitor has the next one', () => monitor.state?.revision === 2);
    });

    it('starts watching as soon as the server is available', async () => {
      const late = await server();
      await late.kill();
      const storage = createRedisStorage({ url: late.url });
      let calls = 0;
      expect(await measureTime(() => storage.watch(() => calls++))).toBeLessThan(SLACK);
      await late.restart();
      await until('the watch calls back', () => calls > 0);
      const before = calls;
      await createRedisStorage({ url: late.url }).write(createState(1), null);
      await until('the watch hears of a write', () => calls > before);
    });

    it('closes all its connections', async () => {
      const busy = await server();
      const control = await connectClient(busy.url);
      const connections = async (): Promise<number> =>
        (await control.sendCommand<string>(['CLIENT', 'LIST'])).trim().split('\n').length;
      const storage = createRedisStorage({ url: busy.url });
      const end = await storage.watch(() => undefined);
      await storage.read();
      expect(await connections()).toBe(3);
      await end();
      await until('the watch is closed', async () => (await connections()) === 2);
      await storage.watch(() => undefined);
      await until('the watch is open again', async () => (await connections()) === 3);
      await storage.close();
      await until('all is closed', async () => (await connections()) === 1);
      expect((await captureStorageError(storage.read())).message).toMatch(/the storage is closed/);
      expect((await captureStorageError(storage.watch(() => undefined))).message).toMatch(/the storage is closed/);
      for (let round = 0; round < 20; round++) {
        const hasty = new RedisStateStorage({ url: busy.url });
        const works = [hasty.watch(() => undefined), hasty.read(), hasty.reports()];
        for (let turns = 0; turns < round; turns++) await new Promise((resolve) => setImmediate(resolve));
        await hasty.close();
        await Promise.allSettled(works);
      }
      await until('those closed while connecting are closed', async () => (await connections()) === 1);
    });
  });

  describe('server failures', () => {
    it('rejects at once with address and reason if nothing listens on the port', async () => {
      const gone = await server();
      await gone.kill();
      const storage = createRedisStorage({ url: gone.url });
      for (const work of [() => storage.read(), () => storage.write(createState(1), null), () => storage.reports()]) {
        const started = performance.now();
        const error = await captureStorageError(work());
        expect(performance.now() - started).toBeLessThan(SLACK);
        expect(error.code).toBe('unavailable');
        expect(error.message).toBe(
          `redis://127.0.0.1:${gone.port}/0?key=maintenance_state can't be reached: connection refused (ECONNREFUSED). ` +
            'Start the server, or correct host and port.',
        );
      }
      expect(
        (await captureStorageError(createRedisStorage({ url: 'redis://no-such-host.invalid' }).read())).message,
      ).toMatch(
        /^redis:\/\/no-such-host\.invalid:6379\/0\?key=maintenance_state can't be reached: host not found \((?:ENOTFOUND|EAI_AGAIN)\)/,
      );
      expect(
        (await captureStorageError(createRedisStorage({ url: `redis://localhost:${gone.port}` }).read())).message,
      ).toMatch(/ECONNREFUSED/);
    });

    it('times out if the server accepts the connection but never answers', async () => {
      const mute = createServer().listen(0, '127.0.0.1');
      await once(mute, 'listening');
      closeLater(mute, () => mute.close());
      const { port } = mute.address() as AddressInfo;
      const storage = createRedisStorage({ url: `redis://127.0.0.1:${port}`, timeout: TIMEOUT });
      for (const work of [() => captureStorageError(storage.read()), () => storage.watch(() => undefined)]) {
        const time = await measureTime(work);
        expect(time).toBeGreaterThan(TIMEOUT - 20);
        expect(time).toBeLessThan(TIMEOUT + SLACK);
      }
    });

    it('names the problem if the server is not Redis', async () => {
      const web = createServer((socket) => socket.on('error', () => undefined).end('HTTP/1.1 400 Bad Request\r\n\r\n'));
      await once(web.listen(0, '127.0.0.1'), 'listening');
      closeLater(web, () => web.close());
      const { port } = web.address() as AddressInfo;
      expect((await captureStorageError(createRedisStorage({ url: `redis://127.0.0.1:${port}` }).read())).code).toBe(
        'unavailable',
      );
      const tls = await captureStorageError(
        createRedisStorage({ url: `rediss://127.0.0.1:${shared.port}`, timeout: TIMEOUT }).read(),
      );
      expect(tls.message).toMatch(/If the server does not use TLS, use redis:/);
    });

    it('times out while the server is suspended and works again once it continues', async () => {
      const frozen = await server();
      const client = await connectClient(frozen.url);
      const storages = [{ url: frozen.url }, { client }].map((how) => createRedisStorage({ ...how, timeout: TIMEOUT }));
      const version = await storages[0]!.write(createState(1), null);
      for (const storage of storages) await storage.read();
      const { monitor, health } = await follow(storages[0]!, 100);
      frozen.signal('SIGSTOP');
      for (const storage of storages) {
        const works = [storage.read(), storage.reports(), storage.report(createReport('a'))];
        const started = performance.now();
        for (const error of await Promise.all(works.map(captureStorageError))) {
          expect(error.code).toBe('unavailable');
          expect(error.message).toMatch(/gave no answer within 1\.5 s|has closed the connection/);
        }
        expect(performance.now() - started).toBeLessThan(TIMEOUT + SLACK);
      }
      const started = performance.now();
      const error = await captureStorageError(storages[0]!.write(createState(2), version));
      expect(error.code).toBe('unavailable');
      expect(performance.now() - started).toBeLessThan(TIMEOUT * 2 + SLACK);
      await until('the monitor has noticed', () => health.length === 1);
      frozen.signal('SIGCONT');
      await until('the monitor has recovered', () => health.length === 2);
      expect(health).toEqual(['unavailable', null]);
      expect(monitor.health.healthy).toBe(true);
      for (const storage of storages)
        await expect(storage.read()).resolves.toMatchObject({ state: { lineage: LINEAGE } });
      expect(health).toHaveLength(2);
    });

    it('reconnects after the network dropped the connections silently', async () => {
      const proxy = closeLater(await Proxy.to(shared.port), (started) => started.close());
      const key = newKey();
      const storage = createRedisStorage({ url: proxy.url, key, timeout: TIMEOUT });
      let calls = 0;
      await storage.watch(() => calls++);
      const version = await storage.write(createState(1), null);
      await until('the watch hears of it', () => calls === 1);
      proxy.silence();
      expect((await captureStorageError(storage.read())).message).toMatch(/gave no answer within 1\.5 s/);
      await expect(storage.read()).resolves.toMatchObject({ version });
      // A subscription sends no commands that could time out; it detects the loss by itself.
      await storage.write(createState(2), version);
      await until('the watch is back', () => calls === 2, 12_000);
    });

    it('reconnects to a restarted server and reads the state that it persisted', async () => {
      const kept = await server('--appendonly', 'yes');
      const storage = createRedisStorage({ url: kept.url });
      await turn(storage, true);
      const { health, isOn } = await follow(storage, 100);
      const client = await connectClient(kept.url);
      const given = await follow(createRedisStorage({ client }), 100);
      await kept.kill();
      await until('both have noticed', () => health.length === 1 && given.health.length === 1);
      expect([isOn(), given.isOn()]).toEqual([true, true]);
      await kept.restart();
      await until('both have recovered', () => health.length === 2 && given.health.length === 2);
      expect([health, given.health]).toEqual([
        ['unavailable', null],
        ['unavailable', null],
      ]);
      await turn(storage, false);
      await until('both are off', () => !isOn() && !given.isOn());
      expect([health.length, given.health.length]).toEqual([2, 2]);
    });

    it('follows onStorageFailure after the server restarts empty, until a write starts a new lineage', async () => {
      const empty = await server();
      const storage = createRedisStorage({ url: empty.url });
      await turn(storage, true);
      await turn(storage, true);
      const { monitor, health, isOn } = await follow(storage, 100);
      const { lineage } = monitor.state!;
      await empty.kill();
      await until('the monitor has noticed', () => health.length === 1);
      await empty.restart();
      await until('the monitor sees what is lost', () =>
        /is gone, although it existed/.test(monitor.health.error ?? ''),
      );
      expect([isOn(), health]).toEqual([true, ['unavailable']]);
      const elsewhere = createRedisStorage({ url: empty.url });
      await turn(elsewhere, false);
      await until('the monitor follows', () => !isOn());
      expect(monitor.state).toMatchObject({ revision: 1, lineage: expect.not.stringContaining(lineage) });
      expect(health).toEqual(['unavailable', null]);
      await turn(elsewhere, true);
      await until('the monitor follows again', isOn);
    });

    it('does not carry out a write later after reporting it as failed', async () => {
      const late = await server();
      await late.kill();
      const client = createClient({ url: late.url }).on('error', () => undefined);
      const connected = client.connect();
      closeLater(client, () => client.destroy());
      const storage = createRedisStorage({ client, timeout: TIMEOUT });
      expect((await captureStorageError(storage.write(createState(1), null))).code).toBe('unavailable');
      await late.restart();
      await connected;
      await expect(storage.read()).resolves.toBeNull();
      expect(await client.dbSize()).toBe(0);
    });

    it('waits for a client that is still connecting', async () => {
      const client = createClient({ url: shared.url }).on('error', () => undefined);
      const connected = client.connect();
      closeLater(client, () => client.destroy());
      await expect(createRedisStorage({ client, key: newKey() }).read()).resolves.toBeNull();
      await connected;
    });

    it('does not crash the process with an unhandled error event', async () => {
      const own = await server();
      const client = createClient({ url: own.url });
      await client.connect();
      closeLater(client, () => client.destroy());
      const storage = createRedisStorage({ client });
      await storage.watch(() => undefined);
      await storage.read();
      await own.kill();
      await until('the client knows', () => !client.isReady);
      const started = performance.now();
      expect((await captureStorageError(storage.read())).message).toMatch(/lost its connection/);
      expect(performance.now() - started).toBeLessThan(SLACK);
      await storage.close();
      expect(client.listenerCount('error')).toBe(0);
      client.on('error', () => undefined);
    });
  });

  describe('write whose answer is lost', () => {
    let proxy: Proxy;
    let storage: RedisStateStorage;
    let key: string;

    beforeEach(async () => {
      proxy = closeLater(await Proxy.to(shared.port), (started) => started.close());
      key = newKey();
      storage = createRedisStorage({ url: proxy.url, key });
    });

    it('succeeds if the server carried it out', async () => {
      const first = await storage.write(createState(1), null);
      for (const bytes of [0, 2]) {
        proxy.cutNextAnswer(bytes);
        const { version } = (await createRedisStorage({ url: shared.url, key }).read())!;
        const next = await storage.write(createState(bytes + 2), version);
        await expect(storage.read()).resolves.toEqual({ state: createState(bytes + 2), version: next });
      }
      expect((await captureStorageError(storage.write(createState(9), first))).code).toBe('conflict');
    });

    it('succeeds if later writes are based on it, and appears once in the history', async () => {
      const other = createRedisStorage({ url: shared.url, key });
      await turn(storage, true);
      const base = (await storage.read())!;
      const entry = { revision: 2, at: 'now', action: 'off' as const, windows: [] };
      proxy.cutNextAnswer(0, async () => {
        const { state, version } = (await other.read())!;
        await other.write({ ...state, revision: 3, history: [{ ...entry, revision: 3 }, ...state.history] }, version);
      });
      const next = { ...base.state, revision: 2, history: [entry, ...base.state.history] };
      await expect(storage.write(next, base.version)).resolves.toEqual(expect.any(String));
      expect((await other.read())!.state.history.map(({ revision }) => revision)).toEqual([3, 2, 1]);
    });

    it('rejects with a conflict if another write came first', async () => {
      const version = await storage.write(createState(1), null);
      proxy.cutNextCommand(() => createRedisStorage({ url: shared.url, key }).write(createState(5), version));
      expect((await captureStorageError(storage.write(createState(2), version))).code).toBe('conflict');
      await expect(storage.read()).resolves.toMatchObject({ state: createState(5) });
    });

    it('rejects if nothing was written', async () => {
      const version = await storage.write(createState(1), null);
      proxy.cutNextCommand();
      const error = await captureStorageError(storage.write(createState(2), version));
      expect(error).toMatchObject({
        code: 'unavailable',
        message: expect.stringContaining('The write has not taken effect'),
      });
      await expect(storage.read()).resolves.toEqual({ state: createState(1), version });
    });

    it('rejects and says that the outcome is unknown if it cannot be determined', async () => {
      const own = await server();
      const through = closeLater(await Proxy.to(own.port), (started) => started.close());
      const lonely = createRedisStorage({ url: through.url });
      const version = await lonely.write(createState(1), null);
      through.cutNextAnswer(0, () => own.kill());
      const error = await captureStorageError(lonely.write(createState(2), version));
      expect(error).toMatchObject({ code: 'unavailable', message: expect.stringContaining('may have taken effect') });
    });
  });

  describe('permissions', () => {
    it('names the missing permission without revealing credentials', async () => {
      const guarded = await server('--requirepass', 'top-secret');
      const at = `127.0.0.1:${guarded.port}`;
      for (const [url, sentence] of [
        [`redis://${at}`, /the server requires a password \(NOAUTH\)\. Add it to the URL/],
        [`redis://:top-wrong@${at}`, /wrong user name or password \(WRONGPASS\)/],
        [`redis://unknown:top-wrong@${at}`, /WRONGPASS/],
      ] as const) {
        const storage = createRedisStorage({ url });
        const end = await storage.watch(() => undefined);
        for (const work of [storage.read(), storage.write(createState(1), null), storage.reports()]) {
          const error = await captureStorageError(work);
          expect(error.code).toBe('denied');
          expect(error.message).toMatch(sentence);
          expect(formatError(error)).not.toMatch(/top-/);
        }
        await end();
      }
      const storage = createRedisStorage({ url: `redis://:top-secret@${at}` });
      await storage.write(createState(1), null);
      expect(storage.location).toBe(`redis://${at}/0?key=maintenance_state`);
      const needless = await captureStorageError(
        createRedisStorage({ url: `redis://:top-secret@127.0.0.1:${shared.port}` }).read(),
      );
      expect(needless).toMatchObject({
        code: 'denied',
        message: expect.stringMatching(/the server has no password, but the URL does\. Remove it/),
      });
      expect(formatError(needless)).not.toMatch(/top-/);
    });

    it('redacts the password even if the server echoes it', async () => {
      const answer = "-ERR unknown command 'AUTH', with args beginning with: 'top-secret' \r\n";
      const old = createServer((socket) => socket.on('error', () => undefined).on('data', () => socket.write(answer)));
      await once(old.listen(0, '127.0.0.1'), 'listening');
      closeLater(old, () => old.close());
      const at = `127.0.0.1:${(old.address() as AddressInfo).port}`;
      const error = await captureStorageError(createRedisStorage({ url: `redis://:top-secret@${at}` }).read());
      expect(error.message).toMatch(/can't be read: the server replied "ERR unknown command 'AUTH'"\.$/);
      expect(formatError(error)).not.toMatch(/top-/);
    });

    it('works with exactly the permissions listed in the documentation', async () => {
      const guarded = await server();
      const control = await connectClient(guarded.url);
      const keys = ['~maintenance_state', '~{maintenance_state}:*', '&{maintenance_state}:*'];
      const commands =
        '+ping +get +getrange +set +eval +publish +subscribe +time +hset +hget +hdel +zadd +zrem +zrangebyscore +zrevrange +pexpireat';
      await control.sendCommand(['ACL', 'SETUSER', 'shop', 'on', '>pw', ...keys, ...commands.split(' ')]);
      await control.sendCommand(['ACL', 'SETUSER', 'reader', 'on', '>pw', '~maintenance_state', '+get']);
      await control.sendCommand(['ACL', 'SETUSER', 'mute', 'on', '>pw', '~maintenance_state', '+get', '+set', '+eval']);
      const as = (user: string): RedisStateStorage =>
        createRedisStorage({ url: `redis://${user}:pw@127.0.0.1:${guarded.port}` });
      const shop = as('shop');
      let calls = 0;
      const end = await shop.watch(() => calls++);
      const version = await shop.write(createState(1), null);
      await until('the watch hears of it', () => calls > 0);
      await shop.report(createReport('a'));
      await expect(shop.reports()).resolves.toHaveLength(1);
      await end();

      const reader = as('reader');
      await expect(reader.read()).resolves.toMatchObject({ version });
      const error = await captureStorageError(reader.write(createState(2), version));
      expect(error).toMatchObject({ code: 'denied', message: expect.stringMatching(/NOPERM .*ACL SETUSER/) });
      const endless = await reader.watch(() => undefined);
      await endless();

      // Without permission to publish, a write still works: other instances find it by polling.
      const next = await as('mute').write(createState(2), version);
      await expect(shop.read()).resolves.toEqual({ state: createState(2), version: next });
    });
  });

  describe('server that rejects writes', () => {
    it.each([
      [
        'a replica',
        ['REPLICAOF', '127.0.0.1', '1'],
        /the server is a replica \(READONLY\)\. Use the address of the master/,
      ],
      ['full memory', ['CONFIG', 'SET', 'maxmemory', '1'], /the memory of the server is full \(OOM\)/],
      ['missing replicas', ['CONFIG', 'SET', 'min-replicas-to-write', '1'], /NOREPLICAS/],
    ])('names the reason (%s) and can still be read', async (_name, command, sentence) => {
      const own = await server();
      const storage = createRedisStorage({ url: own.url });
      const version = await storage.write(createState(1), null);
      await (await connectClient(own.url)).sendCommand(command);
      const error = await captureStorageError(storage.write(createState(2), version));
      expect(error).toMatchObject({ code: 'unavailable', message: expect.stringMatching(sentence) });
      await expect(storage.read()).resolves.toEqual({ state: createState(1), version });
    });

    it('names the reason if the server cannot persist to disk', async () => {
      const own = await server('--save', '3600', '1', '--dbfilename', 'taken.rdb');
      const control = await connectClient(own.url);
      const storage = createRedisStorage({ url: own.url });
      await storage.write(createState(1), null);
      // A folder in place of the dump file makes the next save fail, after which Redis rejects writes.
      await mkdir(join(own.folder, 'taken.rdb', 'really'), { recursive: true });
      await control.sendCommand(['BGSAVE']);
      await until('the save has failed', async () =>
        /rdb_last_bgsave_status:err/.test(await control.info('persistence')),
      );
      const { version } = (await storage.read())!;
      expect((await captureStorageError(storage.write(createState(2), version))).message).toMatch(
        /it can not save to its disk \(MISCONF\)/,
      );
    });

    it('reconnects to the new master after a failover', async () => {
      const [old, promoted] = [await server(), await server('--repl-diskless-sync-delay', '0')];
      const proxy = closeLater(await Proxy.to(old.port), (started) => started.close());
      const storage = createRedisStorage({ url: proxy.url });
      const version = await storage.write(createState(1), null);
      await createRedisStorage({ url: promoted.url }).write(createState(1), null);
      await (await connectClient(old.url)).sendCommand(['REPLICAOF', '127.0.0.1', String(promoted.port)]);
      proxy.target = promoted.port;
      expect((await captureStorageError(storage.write(createState(2), version))).message).toMatch(/READONLY/);
      await storage.write(createState(2), version);
      await expect(createRedisStorage({ url: promoted.url }).read()).resolves.toMatchObject({ state: createState(2) });
    });
  });

  describe('cluster', () => {
    let node: RedisServer;
    let cluster: ReturnType<typeof createCluster>;

    beforeAll(async () => {
      node = await RedisServer.start('--cluster-enabled', 'yes');
      const control = createClient({ url: node.url });
      await control.connect();
      await control.sendCommand(['CLUSTER', 'ADDSLOTSRANGE', '0', '16383']);
      await until('the cluster is up', async () =>
        /cluster_state:ok/.test(await control.sendCommand(['CLUSTER', 'INFO'])),
      );
      control.destroy();
      cluster = createCluster({ rootNodes: [{ url: node.url }] });
      cluster.on('error', () => undefined);
      await cluster.connect();
    });

    afterAll(async () => {
      cluster.destroy();
      await node.stop();
    });

    describeStateStorage('RedisStateStorage in a cluster', () => {
      const key = `{${newKey()}}:mode`;
      const create = (): RedisStateStorage =>
        new RedisStateStorage({ client: cluster, key, reportTtl: 1_000, timeout: NEVER_REACHED });
      return {
        storage: create(),
        another: create,
        put: async (text) => void (await cluster.set(key, text)),
        reportTtl: 1_000,
      };
    });

    it('names the problem if a cluster node is used as a single server', async () => {
      const own = createRedisStorage({ url: node.url });
      await own.write(createState(1), null);
      await expect(createRedisStorage({ client: cluster }).read()).resolves.toMatchObject({ state: createState(1) });
      const other = await server('--cluster-enabled', 'yes');
      expect(await captureStorageError(createRedisStorage({ url: other.url }).read())).toMatchObject({
        code: 'unavailable',
        message: expect.stringMatching(/CLUSTERDOWN/),
      });
    });

    it('times out while a node is suspended, watches again afterwards and leaves the client open', async () => {
      const key = newKey();
      const storage = createRedisStorage({ client: cluster, key, timeout: TIMEOUT });
      let calls = 0;
      await storage.watch(() => calls++);
      const version = await storage.write(createState(1), null);
      node.signal('SIGSTOP');
      const time = await measureTime(() => captureStorageError(storage.read()));
      expect(time).toBeLessThan(TIMEOUT + SLACK);
      node.signal('SIGCONT');
      await until('it answers', () => storage.read().then(Boolean, () => false));
      const control = await connectClient(node.url);
      await control.sendCommand(['CLIENT', 'KILL', 'TYPE', 'pubsub']);
      const before = calls;
      await until('the watch is told of the interruption', () => calls > before);
      const heard = calls;
      await storage.write(createState(2), version);
      await until('and hears of writes again', () => calls > heard);
      await storage.close();
      expect(cluster.isOpen).toBe(true);
      expect(await cluster.get(key)).toContain('"revision": 2');
    });
  });
});
