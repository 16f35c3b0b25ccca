// The clients that an application may pass: of `redis` and `ioredis`, for a server, Sentinel and a cluster.
import { inspect } from 'node:util';
import { Queue } from 'bullmq';
import * as ioredis from 'ioredis';
import * as ioredis5 from 'ioredis-5';
import { createCluster, createSentinel } from 'redis';
import type { MaintenanceState } from '../../libs/maintenance/src/core/maintenance-state.js';
import { RedisStateStorage, type RedisClientLike } from '../../libs/maintenance/src/redis.js';
import { describeStateStorage } from '../../libs/maintenance/src/testing/describe-state-storage.js';
import { measureTime, until } from '../tools/waiting.js';
import { closeLater } from '../tools/close-later.js';
import { captureStorageError } from './capture-storage-error.js';
import { describeWithRedis, RedisSentinel, RedisServer, startRedisCluster } from './redis-server.js';

/** The timeout of a call. */
const TIMEOUT_MS = 2_000;
/** A call that fails within its timeout has failed long before this on a busy machine too. */
const BOUND_MS = 15_000;
const REPORT_TTL_MS = 1_000;

// Version 5 has the same members; a test below checks its types.
const IOREDIS: [string, typeof ioredis][] = [
  ['ioredis 6', ioredis],
  ['ioredis 5', ioredis5 as unknown as typeof ioredis],
];

interface Connected {
  client: RedisClientLike;
  ping: () => Promise<unknown>;
  close: () => unknown;
}

let keys = 0;
const newKey = (): string => `clients_${++keys}`;

function createState(revision: number): MaintenanceState {
  return { format: 1, lineage: 'spec', revision, windows: [], history: [] };
}

function createStorage(client: RedisClientLike, key = newKey()): RedisStateStorage {
  return closeLater(new RedisStateStorage({ client, key, timeout: TIMEOUT_MS }), (storage) => storage.close());
}

/** A client as an application has it: with an `error` listener. */
function disconnectLater<T extends { on(event: 'error', listener: () => void): unknown; disconnect(): void }>(
  client: T,
): T {
  client.on('error', () => undefined);
  return closeLater(client, () => client.disconnect());
}

/** The contract, the watch and what the application keeps, for a client that `connect` opens. */
function describeClient(name: string, connect: () => Promise<Connected>): void {
  describe(name, () => {
    describeStateStorage(`RedisStateStorage with ${name}`, async () => {
      const { client, ping, close } = await connect();
      const options = { client, key: newKey(), reportTtl: REPORT_TTL_MS };
      const another = (): RedisStateStorage => new RedisStateStorage(options);
      const cleanup = async (): Promise<void> => {
        await ping();
        await close();
      };
      return { storage: another(), another, cleanup };
    });

    it('notifies another client, and leaves the client open', async () => {
      const [one, two] = [closeLater(await connect(), ({ close }) => close()), await connect()];
      closeLater(two, ({ close }) => close());
      const key = newKey();
      const storage = createStorage(one.client, key);
      let calls = 0;
      await storage.watch(() => calls++);
      const version = await createStorage(two.client, key).write(createState(1), null);
      await until('the watch is called', () => calls > 0);
      await expect(storage.read()).resolves.toEqual({ state: createState(1), version });
      await storage.close();
      await one.ping();
      expect((await captureStorageError(storage.read())).message).toMatch(/the storage is closed/);
    });
  });
}

describeWithRedis('RedisStateStorage with clients of ioredis', () => {
  let server: RedisServer;
  let control: ioredis.Redis;

  beforeAll(async () => {
    server = await RedisServer.start();
    control = new ioredis.Redis(server.port);
  });
  afterAll(async () => {
    control.disconnect();
    await server.stop();
  });

  describe.each(IOREDIS)('%s', (name, { Redis, Cluster }) => {
    describeClient(`a Redis of ${name}`, async () => {
      const client = new Redis(server.port, { maxRetriesPerRequest: null });
      return { client, ping: () => client.ping(), close: () => client.disconnect() };
    });

    it.each([
      [
        { host: 'cache.internal', db: 3, username: 'shop', password: 'top-secret' },
        'redis://cache.internal:6379/3?key=a',
      ],
      [{ host: '::1', port: 7000, tls: {} }, 'rediss://[::1]:7000/0?key=a'],
      [{ path: '/run/redis.sock' }, 'redis:///run/redis.sock/0?key=a'],
      [{ host: 'h', keyPrefix: 'shop:' }, 'redis://h:6379/0?key=shop:a'],
      [
        { sentinels: [{ host: 's1' }, { host: 's2', port: 5 }], name: 'main', sentinelPassword: 'top-secret' },
        'redis-sentinel://s1:26379,s2:5/0?master=main&key=a',
      ],
    ])('derives the location from %j', (options, location) => {
      const client = disconnectLater(new Redis({ ...options, lazyConnect: true }));
      expect(createStorage(client, 'a').location).toBe(location);
      expect(client.status).toBe('wait');
    });

    it('derives the location from the nodes of a cluster', () => {
      const nodes = ['redis://shop:top-secret@a:1', { host: '::1' }, 7000];
      const options = { lazyConnect: true, redisOptions: { tls: {} } };
      const client = disconnectLater(new Cluster(nodes, options));
      expect(createStorage(client, 'a').location).toBe('rediss://a:1,[::1]:6379,127.0.0.1:7000/0?key=a');
    });

    it('stores under the keys that a URL leads to, whatever the prefix', async () => {
      const client = disconnectLater(new Redis(server.port, { keyPrefix: `${newKey()}:`, db: 2 }));
      const storage = createStorage(client, 'mode');
      let calls = 0;
      await storage.watch(() => calls++);
      const report = { id: 'a', host: 'h', pid: 1, lineage: null, revision: 0, inFlight: 0, streams: 0 };
      await storage.report({ ...report, seenAt: new Date().toISOString() });
      const byUrl = closeLater(new RedisStateStorage({ url: storage.location }), (other) => other.close());
      expect(byUrl.location).toBe(storage.location);
      await expect(byUrl.reports()).resolves.toMatchObject([report]);
      await byUrl.write(createState(1), null);
      await until('the watch is called', () => calls > 0);
      await expect(storage.read()).resolves.toMatchObject({ state: createState(1) });
      expect(await client.get('mode')).toContain('"revision": 1');
    });

    it('connects with the settings of a client that is not connected', async () => {
      const client = disconnectLater(new Redis({ port: server.port, lazyConnect: true, enableOfflineQueue: false }));
      await createStorage(client).write(createState(1), null);
      expect(client.status).toBe('wait');
    });

    it('fails within the timeout while the server is down, and works again afterwards', async () => {
      const own = closeLater(await RedisServer.start(), (started) => started.stop());
      const client = disconnectLater(new Redis(own.port, { maxRetriesPerRequest: null }));
      const storage = createStorage(client);
      let calls = 0;
      await storage.watch(() => calls++);
      await storage.write(createState(1), null);
      const before = calls;
      await own.kill();
      for (const work of [() => storage.read(), () => storage.write(createState(2), 'old')]) {
        const time = await measureTime(async () => {
          expect(await captureStorageError(work())).toMatchObject({
            code: 'unavailable',
            message: expect.stringMatching(/connection refused|has closed the connection/),
          });
        });
        expect(time).toBeLessThan(BOUND_MS);
      }
      await own.restart();
      expect((await captureStorageError(storage.read())).code).toBe('lost');
      await until('the watch is told of the interruption', () => calls > before);
      await storage.write(createState(3), null);
    });

    it('fails within the timeout while the server is suspended, and does not repeat the write', async () => {
      const own = closeLater(await RedisServer.start(), (started) => started.stop());
      const client = disconnectLater(new Redis(own.port, { maxRetriesPerRequest: null }));
      const storage = createStorage(client);
      const version = await storage.write(createState(1), null);
      own.signal('SIGSTOP');
      const time = await measureTime(async () => {
        expect((await captureStorageError(storage.write(createState(2), version))).message).toMatch(
          /gave no answer within 2 s.*may have taken effect/,
        );
      });
      expect(time).toBeLessThan(BOUND_MS);
      own.signal('SIGCONT');
      await until('it answers', () => storage.read().then(Boolean, () => false));
      const { state } = (await storage.read())!;
      expect([1, 2]).toContain(state.revision);
      expect(Number(/cmdstat_eval:calls=(\d+)/.exec(await own.ask('INFO', 'commandstats'))![1])).toBeLessThanOrEqual(2);
    });

    it('hears of changes again after its subscribed connection is killed', async () => {
      const client = disconnectLater(new Redis(server.port));
      const storage = createStorage(client);
      let calls = 0;
      await storage.watch(() => calls++);
      await control.call('CLIENT', 'KILL', 'TYPE', 'pubsub');
      await until('the watch is told of the interruption', () => calls > 0);
      const before = calls;
      await storage.write(createState(1), null);
      await until('the watch is called', () => calls > before);
    });

    it('names a wrong password, without it', async () => {
      const own = closeLater(await RedisServer.start('--requirepass', 'right'), (started) => started.stop());
      const client = disconnectLater(new Redis(own.port, { password: 'top-secret' }));
      const error = await captureStorageError(createStorage(client).read());
      expect(error).toMatchObject({
        code: 'denied',
        message: expect.stringMatching(/\(WRONGPASS\)\. Correct them in the options of the client/),
      });
      expect(inspect(error, { depth: 9, showHidden: true })).not.toContain('top-secret');
      const without = await captureStorageError(createStorage(disconnectLater(new Redis(own.port))).read());
      expect(without).toMatchObject({ code: 'denied', message: expect.stringContaining('(NOAUTH)') });
    });

    it('refuses a database that the server does not have, instead of using another one', async () => {
      const client = disconnectLater(new Redis(server.port, { db: 99 }));
      const error = await captureStorageError(createStorage(client).write(createState(1), null));
      expect(error).toMatchObject({ code: 'unavailable', message: expect.stringContaining('has no such database') });
    });
  });

  it('accepts the types of both versions of ioredis', () => {
    const lazy = { lazyConnect: true };
    const clients = [new ioredis.Redis(lazy), new ioredis5.Redis(lazy), new ioredis5.Cluster([7000], lazy)];
    for (const client of clients) expect(createStorage(client, 'a').location).toMatch(/key=a$/);
  });

  it('takes the connection of BullMQ', async () => {
    const queue = new Queue('orders', { connection: { port: server.port } });
    closeLater(queue, () => queue.close());
    const storage = createStorage(await queue.client);
    await storage.write(createState(1), null);
    await storage.close();
    await queue.add('order', {});
    await expect(queue.count()).resolves.toBe(1);
  });

  it('refuses what is not a client', () => {
    expect(() => new RedisStateStorage({ client: {} as RedisClientLike })).toThrow(
      'requires a client of the package `redis` or `ioredis`',
    );
  });
});

describeWithRedis('RedisStateStorage with Sentinel', () => {
  let sentinel: RedisSentinel;

  beforeAll(async () => {
    sentinel = await RedisSentinel.start();
  });
  afterAll(() => sentinel.stop());

  const connectors: [string, () => Promise<Connected>][] = [
    ...IOREDIS.map(([name, { Redis }]): (typeof connectors)[number] => [
      `Sentinel by ${name}`,
      async () => {
        const client = new Redis({ sentinels: [{ host: '127.0.0.1', port: sentinel.port }], name: RedisSentinel.NAME });
        client.on('error', () => undefined);
        return { client, ping: () => client.ping(), close: () => client.disconnect() };
      },
    ]),
    [
      'Sentinel by node-redis',
      async () => {
        const sentinelRootNodes = [{ host: '127.0.0.1', port: sentinel.port }];
        const client = createSentinel({ name: RedisSentinel.NAME, sentinelRootNodes });
        client.on('error', () => undefined);
        await client.connect();
        return { client, ping: () => client.ping(), close: () => client.destroy() };
      },
    ],
  ];
  for (const [name, connect] of connectors) describeClient(name, connect);

  it('shows the address of Sentinel', async () => {
    for (const [, connect] of connectors) {
      const { client } = closeLater(await connect(), ({ close }) => close());
      expect(createStorage(client, 'a').location).toMatch(
        new RegExp(`^redis-sentinel://127.0.0.1:${sentinel.port}/0\\?(?:master=shop-cache&)?key=a$`),
      );
    }
  });

  // The last test: it takes the master.
  it('follows the master after a failover, and hears of changes again', async () => {
    const clients = [];
    for (const [, connect] of connectors) {
      const { client } = closeLater(await connect(), ({ close }) => close());
      const storage = createStorage(client, newKey());
      const calls = { count: 0 };
      await storage.watch(() => calls.count++);
      await storage.write(createState(1), null);
      clients.push({ client, storage, calls });
    }
    await sentinel.failOver();
    for (const { client, storage, calls } of clients) {
      await until('it reads from the new master', () => storage.read().then(Boolean, ({ code }) => code === 'lost'));
      const found = await storage.read().catch(() => null);
      await until('it writes to the new master', () =>
        storage.write(createState(2), found?.version ?? null).then(Boolean, ({ code }) => code === 'conflict'),
      );
      const before = calls.count;
      const another = createStorage(client, new URL(storage.location).searchParams.get('key')!);
      await until('the watch is called', async () => {
        const { state, version } = (await another.read())!;
        await another.write(createState(state.revision + 1), version);
        return calls.count > before;
      });
    }
  }, 90_000);
});

describeWithRedis('RedisStateStorage with a cluster of three masters', () => {
  let servers: RedisServer[];

  beforeAll(async () => {
    servers = await startRedisCluster();
  });
  afterAll(async () => {
    for (const server of servers) await server.stop();
  });

  const connectors: [string, () => Promise<Connected>][] = [
    ...IOREDIS.map(([name, { Cluster }]): (typeof connectors)[number] => [
      `a cluster by ${name}`,
      async () => {
        const client = new Cluster([{ host: '127.0.0.1', port: servers[0]!.port }], { scaleReads: 'all' });
        client.on('error', () => undefined);
        return { client, ping: () => client.get('ping'), close: () => client.disconnect() };
      },
    ]),
    [
      'a cluster by node-redis',
      async () => {
        const client = createCluster({ rootNodes: [{ url: servers[0]!.url }] });
        client.on('error', () => undefined);
        await client.connect();
        return { client, ping: () => client.get('ping'), close: () => client.destroy() };
      },
    ],
  ];
  for (const [name, connect] of connectors) describeClient(name, connect);

  it.each(connectors)('stores under keys of one slot, wherever that is: %s', async (_name, connect) => {
    const { client } = closeLater(await connect(), ({ close }) => close());
    const used = new Set<number>();
    for (let index = 0; index < 12; index++) {
      const storage = createStorage(client);
      await storage.write(createState(1), null);
      const seenAt = new Date().toISOString();
      await storage.report({ id: 'a', host: 'h', pid: 1, lineage: null, revision: 0, inFlight: 0, streams: 0, seenAt });
      await expect(storage.reports()).resolves.toHaveLength(1);
      const key = new URL(storage.location).searchParams.get('key')!;
      for (const [node, { port }] of servers.entries()) {
        const found = await servers[node]!.ask('KEYS', `*${key}*`);
        if (found.length > 0) used.add(port);
        expect([0, 3]).toContain(found.length);
      }
    }
    expect(used.size).toBeGreaterThan(1);
  });

  it.each(connectors)('fails within the timeout while a node is suspended: %s', async (_name, connect) => {
    const { client } = closeLater(await connect(), ({ close }) => close());
    const storage = createStorage(client);
    await storage.write(createState(1), null);
    servers.forEach((server) => server.signal('SIGSTOP'));
    try {
      const time = await measureTime(() => captureStorageError(storage.read()));
      expect(time).toBeLessThan(BOUND_MS);
    } finally {
      servers.forEach((server) => server.signal('SIGCONT'));
    }
    await until('it answers', () => storage.read().then(Boolean, () => false));
  });
});
