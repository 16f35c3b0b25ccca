import { randomBytes } from 'node:crypto';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createKeyv } from '@keyv/redis';
import { CacheModule } from '@nestjs/cache-manager';
import { Module, type DynamicModule, type LoggerService } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { createCache } from 'cache-manager';
import { Keyv } from 'keyv';
import {
  CachedStateStorage,
  FileStateStorage,
  MaintenanceModule,
  MaintenanceService,
  MaintenanceStorageError,
  StateStorage,
  type MaintenanceModuleOptions,
  type MaintenanceState,
  type StateCache,
  type VersionedState,
} from '../../libs/maintenance/src/index.js';
import { RedisStateStorage } from '../../libs/maintenance/src/redis.js';
import { S3StateStorage } from '../../libs/maintenance/src/s3.js';
import { SystemClock } from '../../libs/maintenance/src/utils/clock.js';
import { StateMonitor } from '../../libs/maintenance/src/core/state-monitor.js';
import { StateWriter } from '../../libs/maintenance/src/storage/state-writer.js';
import { describeStateStorage } from '../../libs/maintenance/src/testing/describe-state-storage.js';
import { MemoryStateStorage } from '../../libs/maintenance/src/testing/memory-state-storage.js';
import { isLocalCache } from '../../libs/maintenance/src/storage/cache/application-cache.js';
import { describeWithRedis, RedisServer } from './redis-server.js';
import { measureTime, until } from '../tools/waiting.js';
import { LightServer, S3Front, S3RVER_KEYS } from './s3-front.js';

const KEY = 'maintenance_mode_state';
const { TEST_S3_ENDPOINT, TEST_S3_BUCKET, TEST_S3_ACCESS_KEY_ID, TEST_S3_SECRET_ACCESS_KEY } = process.env;
const ENGINE_KEYS = { accessKeyId: TEST_S3_ACCESS_KEY_ID!, secretAccessKey: TEST_S3_SECRET_ACCESS_KEY! };

function createState(revision: number, lineage = 'spec'): MaintenanceState {
  return { format: 1, lineage, revision, windows: [], history: [] };
}

/** A storage that counts reads and can delay the result of the next one. */
class Counted extends MemoryStateStorage {
  reads = 0;
  #held: Promise<void> | undefined;

  override async read(): Promise<VersionedState | null> {
    this.reads++;
    const held = this.#held;
    this.#held = undefined;
    const found = await super.read();
    await held;
    return found;
  }

  /** Delays the next read: it returns the state of its start, but only after `letGo`. */
  holdNextRead(): () => void {
    const { promise, letGo } = gate();
    this.#held = promise;
    return letGo;
  }
}

interface Hold {
  reach: () => void;
  promise: Promise<void>;
}

interface SharedHandle extends StateCache {
  /** Delays the next call before it returns or stores its value. */
  holdNext: (call: 'get' | 'set') => { reached: Promise<void>; letGo: () => void };
}

/** An in-memory cache shared by several simulated processes, each of which can delay its next call. */
class SharedCache {
  readonly #entries = createCache();
  gets = 0;

  /** Returns the handle of one process. */
  handle(): SharedHandle {
    const holds = { get: undefined as Hold | undefined, set: undefined as Hold | undefined };
    const take = (call: 'get' | 'set'): Hold | undefined => {
      const hold = holds[call];
      holds[call] = undefined;
      hold?.reach();
      return hold;
    };
    return {
      get: async (key) => {
        this.gets++;
        const hold = take('get');
        const found = await this.#entries.get(key);
        await hold?.promise;
        return found;
      },
      set: async (key, value, ttl) => {
        await take('set')?.promise;
        return this.#entries.set(key, value, ttl);
      },
      del: (key) => this.#entries.del(key),
      holdNext: (call) => {
        const { promise, letGo } = gate();
        const { promise: reached, letGo: reach } = gate();
        holds[call] = { reach, promise };
        return { reached, letGo };
      },
    };
  }

  async revision(): Promise<number | undefined> {
    const text = await this.#entries.get<string>(KEY);
    return text === undefined ? undefined : (JSON.parse(text) as { state: MaintenanceState }).state.revision;
  }
}

function gate(): { promise: Promise<void>; letGo: () => void } {
  let letGo = (): void => undefined;
  const promise = new Promise<void>((resolve) => (letGo = resolve));
  return { promise, letGo };
}

function getRevision(found: VersionedState | null): number | undefined {
  return found?.state.revision;
}

describe('CachedStateStorage contract', () => {
  describeStateStorage('CachedStateStorage in memory, over memory', () => {
    const [inner, cache] = [new MemoryStateStorage({ reportTtl: 1_000 }), createCache()];
    const create = (): CachedStateStorage => new CachedStateStorage(inner, cache);
    return { storage: create(), another: create, put: (text) => inner.put(text), reportTtl: 1_000 };
  });

  describeStateStorage('CachedStateStorage in memory for ever, over memory', () => {
    const [inner, cache] = [new MemoryStateStorage({ reportTtl: 1_000 }), createCache()];
    const create = (): CachedStateStorage => new CachedStateStorage(inner, cache, { ttl: 0 });
    return { storage: create(), another: create, put: (text) => inner.put(text), reportTtl: 1_000 };
  });

  describeStateStorage('CachedStateStorage in memory, over a file', () => fileFixture(createCache()));

  async function fileFixture(cache: StateCache, forAnother = cache) {
    const folder = await mkdtemp(join(tmpdir(), 'cached-'));
    const path = join(folder, 'state.json');
    const create = (own: StateCache): CachedStateStorage =>
      new CachedStateStorage(new FileStateStorage(path, { reportTtl: 1_000 }), own);
    return {
      storage: create(cache),
      another: () => create(forAnother),
      put: (text: string) => writeFile(path, text),
      reportTtl: 1_000,
      cleanup: () => rm(folder, { recursive: true }),
    };
  }

  describeWithRedis('with Redis', () => {
    const BUCKET = 'bucket';
    let server: RedisServer;
    let light: LightServer;
    let front: S3Front;
    const keyvs: Keyv[] = [];
    beforeAll(async () => {
      server = await RedisServer.start();
      light = await LightServer.start(BUCKET);
      front = await S3Front.start(light, BUCKET);
    });
    afterEach(async () => {
      for (const keyv of keyvs.splice(0)) await keyv.disconnect();
    });
    afterAll(async () => {
      await front.stop();
      await light.stop();
      await server.stop();
    });

    // Each storage has its own connection, as in separate processes.
    const redisCache = (): StateCache => {
      const keyv = createKeyv(`${server.url.slice(0, -1)}1`);
      keyvs.push(keyv);
      return createCache({ stores: [keyv] });
    };
    const newKey = (): string => randomBytes(4).toString('hex');

    describeStateStorage('CachedStateStorage in Redis, over memory', () => {
      const [inner, key] = [new MemoryStateStorage({ reportTtl: 1_000 }), newKey()];
      const create = (): CachedStateStorage => new CachedStateStorage(inner, redisCache(), { key });
      return { storage: create(), another: create, put: (text) => inner.put(text), reportTtl: 1_000 };
    });

    describeStateStorage('CachedStateStorage in Redis, over a file', () => fileFixture(redisCache(), redisCache()));

    for (const [name, openCache] of [
      ['memory', () => createCache()],
      ['Redis', redisCache],
    ] as const) {
      describeStateStorage(`CachedStateStorage in ${name}, over Redis`, () => {
        const key = newKey();
        const cache = openCache();
        const create = (): CachedStateStorage =>
          new CachedStateStorage(new RedisStateStorage({ url: server.url, key, reportTtl: 1_000 }), cache);
        return { storage: create(), another: create, reportTtl: 1_000 };
      });

      const engine = TEST_S3_ENDPOINT === undefined ? [] : (['the S3 engine in TEST_S3_ENDPOINT'] as const);
      for (const server of ['s3rver behind a front', ...engine] as const) {
        describeStateStorage(`CachedStateStorage in ${name}, over ${server}`, () => {
          const [key, own, other] = [`cached-${newKey()}`, openCache(), openCache()];
          const bucket =
            server === 's3rver behind a front'
              ? { endpoint: front.url, bucket: BUCKET, credentials: S3RVER_KEYS }
              : { endpoint: TEST_S3_ENDPOINT, bucket: TEST_S3_BUCKET!, credentials: ENGINE_KEYS };
          const create = (cache: StateCache): CachedStateStorage =>
            new CachedStateStorage(new S3StateStorage({ ...bucket, key, reportTtl: 4_000 }), cache);
          // Other processes do not see an in-memory cache.
          return { storage: create(own), another: () => create(name === 'Redis' ? other : own), reportTtl: 4_000 };
        });
      }
    }

    it.each([0, 300])('never returns an older revision on one instance (ttl %d ms)', async (ttl) => {
      const [inner, key] = [new MemoryStateStorage(), newKey()];
      const caches = [redisCache(), redisCache(), redisCache()];
      const instances = caches.map((cache) => new CachedStateStorage(inner, cache, { key, ttl }));
      let version = await inner.write(createState(0), null);
      let isWriting = true;
      const readers = instances.map(async (instance) => {
        for (let last = 0; isWriting;) {
          const revision = getRevision(await instance.read())!;
          expect(revision).toBeGreaterThanOrEqual(last);
          last = revision;
        }
      });
      for (let revision = 1; revision <= 100; revision++) {
        version = await instances[revision % 3]!.write(createState(revision), version);
      }
      isWriting = false;
      await Promise.all(readers);
      const newcomer = new CachedStateStorage(inner, redisCache(), { key, ttl });
      await until('every instance has read the last revision', async () => {
        const states = await Promise.all([...instances, newcomer].map((instance) => instance.read()));
        return states.every((found) => getRevision(found) === 100);
      });
    });

    it('reads while the cache server is suspended or stopped, and uses it again once it is back', async () => {
      const own = await RedisServer.start();
      const keyv = createKeyv(own.url);
      keyvs.push(keyv);
      const inner = new Counted();
      await inner.write(createState(1), null);
      const storage = new CachedStateStorage(inner, createCache({ stores: [keyv] }), { patience: 300 });
      await storage.read();
      own.signal('SIGSTOP');
      expect(await measureTime(() => storage.read())).toBeLessThan(1_500);
      // Later reads do not wait for the cache at all.
      expect(await measureTime(() => storage.read())).toBeLessThan(250);
      const { version } = (await storage.read())!;
      expect(await measureTime(() => storage.write(createState(2), version))).toBeLessThan(250);
      expect(getRevision(await storage.read())).toBe(2);
      own.signal('SIGCONT');
      const isSaving = async (): Promise<boolean> => {
        const { reads } = inner;
        expect(getRevision(await storage.read())).toBe(2);
        return inner.reads === reads;
      };
      await until('it is saving again', isSaving);
      await own.kill();
      expect(getRevision(await storage.read())).toBe(2);
      expect(getRevision(await storage.read())).toBe(2);
      await own.restart();
      await until('it is saving again', isSaving);
      await own.stop();
    });
  });
});

describe('storage reads avoided', () => {
  it('reads the storage only on a miss, even if it is empty', async () => {
    const inner = new Counted();
    const storage = new CachedStateStorage(inner, createCache());
    for (let round = 0; round < 50; round++) await expect(storage.read()).resolves.toBeNull();
    expect(inner.reads).toBe(1);
    const version = await storage.write(createState(1), null);
    for (let round = 0; round < 50; round++)
      await expect(storage.read()).resolves.toEqual({ state: createState(1), version });
    expect(inner.reads).toBe(2);
  });

  it('reads the storage again once the entry expires, counted from the start of the read', async () => {
    const inner = new Counted();
    const cache = createCache();
    const set = jest.spyOn(cache, 'set');
    const storage = new CachedStateStorage(inner, cache, { ttl: 300 });
    const letGo = inner.holdNextRead();
    const began = performance.now();
    const read = storage.read();
    await new Promise((resolve) => setTimeout(resolve, 100));
    letGo();
    await read;
    expect(set.mock.calls[0]![2]).toBeLessThanOrEqual(201);
    while (inner.reads === 1) await storage.read();
    expect(performance.now() - began).toBeGreaterThan(200);
    expect(performance.now() - began).toBeLessThan(600);
    const tooLate = inner.holdNextRead();
    await new Promise((resolve) => setTimeout(resolve, 310));
    const late = storage.read();
    await new Promise((resolve) => setTimeout(resolve, 310));
    set.mockClear();
    tooLate();
    await late;
    expect(set).not.toHaveBeenCalled();
  });

  it('never expires an entry with a time to live of 0', async () => {
    const cache = createCache({ ttl: 1 });
    const storage = new CachedStateStorage(new Counted(), cache, { ttl: 0 });
    await storage.read();
    expect(await cache.ttl(KEY)).toBeUndefined();
    await new Promise((resolve) => setTimeout(resolve, 10));
    expect(await cache.get(KEY)).toBeDefined();
  });

  it.each([0, 60_000])('keeps a window with a lease for 10 s although the time to live is %d ms', async (ttl) => {
    const kept: (number | undefined)[] = [];
    const cache: StateCache = {
      get: () => Promise.resolve(undefined),
      set: (_key, _value, until) => Promise.resolve(kept.push(until)),
      del: () => Promise.resolve(),
    };
    const moment = new Date().toISOString();
    const window = { id: 'a', scope: '*', mode: 'full' as const, startsAt: moment, endsAt: null, createdAt: moment };
    const cached = new CachedStateStorage(new MemoryStateStorage(), cache, { ttl });
    const version = await cached.write({ ...createState(1), windows: [{ ...window, leaseUntil: moment }] }, null);
    await cached.read();
    await cached.write({ ...createState(2), windows: [window] }, version);
    await cached.read();
    expect(kept[0]).toBeGreaterThan(9_000);
    expect(kept[0]).toBeLessThanOrEqual(10_000);
    expect(kept[1]).toBeLessThanOrEqual(ttl);
    expect(kept[1]).toBeGreaterThanOrEqual(ttl * 0.9);
  });

  it('shares the entry between processes and separates storages that use the same key', async () => {
    const inner = new Counted();
    const cache = createCache();
    await inner.write(createState(1), null);
    for (let process = 0; process < 3; process++) {
      expect(getRevision(await new CachedStateStorage(inner, cache).read())).toBe(1);
    }
    expect(inner.reads).toBe(1);
    const folder = await mkdtemp(join(tmpdir(), 'cached-'));
    await expect(
      new CachedStateStorage(new FileStateStorage(join(folder, 'state.json')), cache).read(),
    ).resolves.toBeNull();
    expect(
      getRevision(await new CachedStateStorage(new Counted(), createCache(), { key: 'other' }).read()),
    ).toBeUndefined();
    await rm(folder, { recursive: true });
  });

  it('caches neither failures nor invalid content', async () => {
    const inner = new Counted();
    const storage = new CachedStateStorage(inner, createCache());
    inner.put('garbage');
    await expect(storage.read()).rejects.toMatchObject({ code: 'corrupt' });
    inner.fail(new MaintenanceStorageError('lost', 'gone'));
    await expect(storage.read()).rejects.toMatchObject({ code: 'lost' });
    inner.fail(null);
    inner.put('1');
    expect((await storage.read())!.state.windows).toHaveLength(1);
    const foreign = {
      kind: 'own',
      location: 'own',
      read: async () => ({ state: 'no', version: '1' }),
      write: async () => '1',
    };
    const over = new CachedStateStorage(foreign as unknown as StateStorage, createCache());
    await expect(over.read()).resolves.toEqual({ state: 'no', version: '1' });
  });

  it('omits optional methods that the storage omits, delegates the others and closes the storage', async () => {
    const inner = new MemoryStateStorage();
    const close = jest.fn(async () => undefined);
    const full = new CachedStateStorage(Object.assign(inner, { close }), createCache());
    expect([full.kind, full.location]).toEqual(['memory', 'this process']);
    const seenAt = new Date().toISOString();
    await full.report!({ id: 'a', host: 'h', pid: 1, lineage: null, revision: 0, inFlight: 0, streams: 0, seenAt });
    await expect(full.reports!()).resolves.toHaveLength(1);
    await full.close();
    expect(close).toHaveBeenCalledTimes(1);
    const bare = { kind: 'own', location: 'own', read: async () => null, write: async () => '1' };
    const cached: StateStorage = new CachedStateStorage(bare, createCache());
    expect([cached.watch, cached.report, cached.reports]).toEqual([undefined, undefined, undefined]);
    await expect(cached.close!()).resolves.toBeUndefined();
  });
});

describe('write', () => {
  const TTL = 600;
  let inner: Counted;
  let shared: SharedCache;
  let version: string;

  /** Creates the storage of one process. */
  const process = (cache: StateCache = shared.handle(), ttl = TTL): CachedStateStorage =>
    new CachedStateStorage(inner, cache, { ttl });

  beforeEach(async () => {
    inner = new Counted();
    shared = new SharedCache();
    version = await inner.write(createState(1), null);
  });

  it('removes the entry, so that processes with the same cache see the new state with their next read', async () => {
    const [observer, writer] = [process(), process()];
    expect(getRevision(await observer.read())).toBe(1);
    await writer.write(createState(2), version);
    expect(await shared.revision()).toBeUndefined();
    expect(getRevision(await observer.read())).toBe(2);
    expect(getRevision(await writer.read())).toBe(2);
  });

  it.each(['spec', 'other'])(
    'is not undone by a read of the same process that began before (lineage %s)',
    async (lineage) => {
      const storage = process();
      const letGo = inner.holdNextRead();
      const read = storage.read();
      await until('the reader has asked', () => inner.reads === 1);
      if (lineage === 'other') inner.clear();
      await storage.write(createState(2, lineage), lineage === 'other' ? null : version);
      letGo();
      expect(getRevision(await read)).toBe(1);
      expect(await shared.revision()).toBeUndefined();
      expect((await storage.read())!.state).toEqual(createState(2, lineage));
      expect((await process().read())!.state).toEqual(createState(2, lineage));
    },
  );

  it('of another program is not undone by an earlier read that is answered after a later one', async () => {
    const storage = process();
    const letGo = inner.holdNextRead();
    const earlier = storage.read();
    await until('the reader has asked', () => inner.reads === 1);
    await inner.write(createState(2), version);
    expect(getRevision(await storage.readFresh())).toBe(2);
    letGo();
    await earlier;
    expect(await shared.revision()).toBe(2);
    expect(getRevision(await storage.read())).toBe(2);
    expect(inner.reads).toBe(2);
  });

  /** Makes a reader store its entry after a write of another process has removed the entry. */
  async function storeLate(ttl: number): Promise<CachedStateStorage> {
    const slow = shared.handle();
    const writer = process(undefined, ttl);
    const { reached, letGo } = slow.holdNext('set');
    const read = process(slow, ttl).read();
    await reached;
    await writer.write(createState(2), version);
    await writer.read();
    letGo();
    await read;
    expect(await shared.revision()).toBe(1);
    return writer;
  }

  it.each([TTL, 0])(
    'is not undone for a process that knows it, which replaces an older entry (ttl %d ms)',
    async (ttl) => {
      const writer = await storeLate(ttl);
      expect(getRevision(await writer.read())).toBe(2);
      expect(await shared.revision()).toBe(2);
      expect(getRevision(await process(undefined, ttl).read())).toBe(2);
    },
  );

  it('may be unknown to other processes for at most the time to live', async () => {
    const began = performance.now();
    await storeLate(TTL);
    const other = process();
    expect(getRevision(await other.read())).toBe(1);
    await until('another process sees the new one', async () => getRevision(await other.read()) === 2);
    expect(performance.now() - began).toBeLessThan(TTL + 300);
  });
});

describe('entry that does not match the known state', () => {
  let inner: Counted;
  let shared: SharedCache;
  const process = (): CachedStateStorage => new CachedStateStorage(inner, shared.handle());

  beforeEach(() => {
    inner = new Counted();
    shared = new SharedCache();
  });

  it('accepts a newer revision, and reads the storage once for another lineage or a missing entry', async () => {
    const [observer, writer] = [process(), process()];
    /** Lets the writer put the entry, then counts how often the observer reads the storage for its next five reads. */
    const observe = async (check: (found: VersionedState | null) => void): Promise<number> => {
      await writer.readFresh();
      const { reads } = inner;
      for (let round = 0; round < 5; round++) check(await observer.read());
      return inner.reads - reads;
    };
    const version = await inner.write(createState(1), null);
    expect(await observe((found) => expect(getRevision(found)).toBe(1))).toBe(0);
    await inner.write(createState(2), version);
    expect(await observe((found) => expect(getRevision(found)).toBe(2))).toBe(0);
    inner.clear();
    await inner.write(createState(1, 'other'), null);
    expect(await observe((found) => expect(found!.state.lineage).toBe('other'))).toBe(1);
    inner.put('1');
    expect(await observe((found) => expect(found!.state.windows).toHaveLength(1))).toBe(1);
    inner.put('0');
    expect(await observe((found) => expect(found!.state.windows).toHaveLength(0))).toBe(1);
    inner.clear();
    expect(await observe((found) => expect(found).toBeNull())).toBe(1);
  });

  it('serves a restored old state once the entry expires or a write replaces it', async () => {
    for (const ttl of [100, 0]) {
      const key = String(ttl);
      const [storage, other] = [1, 2].map(() => new CachedStateStorage(inner, shared.handle(), { key, ttl }));
      let version: string | null = null;
      for (let revision = 1; revision <= 5; revision++) version = await storage!.write(createState(revision), version);
      await storage!.read();
      inner.put(JSON.stringify(createState(3)));
      expect(getRevision(await other!.read())).toBe(5);
      expect(getRevision(await storage!.readFresh())).toBe(3);
      await storage!.write(createState(4), (await storage!.readFresh())!.version);
      if (ttl === 0) expect(getRevision(await other!.read())).toBe(4);
      else await until('the entry is over', async () => getRevision(await other!.read()) === 4);
      inner.clear();
    }
  });
});

describe('reads that bypass the cache', () => {
  it('bypasses the cache after a notification until a read succeeds', async () => {
    const inner = new Counted();
    const cache = createCache();
    const storage = new CachedStateStorage(inner, cache);
    let calls = 0;
    const end = await storage.watch!(() => calls++);
    await inner.write(createState(1), null);
    await until('the watch calls', () => calls === 1);
    expect(getRevision(await storage.read())).toBe(1);
    await storage.read();
    expect(inner.reads).toBe(1);
    inner.fail(new MaintenanceStorageError('unavailable', 'away'));
    inner.put(JSON.stringify(createState(2)));
    await until('the watch calls', () => calls === 2);
    for (let round = 0; round < 3; round++) await expect(storage.read()).rejects.toThrow('away');
    inner.fail(null);
    expect(getRevision(await storage.read())).toBe(2);
    await storage.read();
    expect(inner.reads).toBe(5);
    await end();
    await inner.write(createState(3), (await inner.read())!.version);
    expect(getRevision(await storage.read())).toBe(2);
  });

  it('bypasses the cache if the notification arrives during the cache lookup', async () => {
    const inner = new Counted();
    const cache = new SharedCache().handle();
    const storage = new CachedStateStorage(inner, cache);
    await storage.read();
    let calls = 0;
    await storage.watch!(() => calls++);
    const { reached, letGo } = cache.holdNext('get');
    const read = storage.read();
    await reached;
    await inner.write(createState(1), null);
    await until('the watch calls', () => calls === 1);
    letGo();
    expect(getRevision(await read)).toBe(1);
  });

  it('makes a pushed change visible to the monitor at once', async () => {
    const inner = new Counted();
    const source = new CachedStateStorage(inner, createCache(), { ttl: 0 });
    const monitor = new StateMonitor({
      source,
      clock: new SystemClock(),
      refreshInterval: 20,
      onStorageFailure: 'last-known',
    });
    await monitor.start();
    let version: string | null = null;
    for (let revision = 1; revision <= 10; revision++) {
      version = await inner.write(createState(revision), version);
      await until('the monitor has it', () => monitor.state?.revision === revision, 500);
    }
    await monitor.stop();
  });

  it('bypasses the cache after a rejected write', async () => {
    const inner = new Counted();
    const storage = new CachedStateStorage(inner, createCache());
    const old = await storage.write(createState(1), null);
    await storage.read();
    await inner.write(createState(2), old);
    expect(getRevision(await storage.read())).toBe(1);
    await expect(storage.write(createState(3), old)).rejects.toMatchObject({ code: 'conflict' });
    expect(getRevision(await storage.read())).toBe(2);
  });

  it('bypasses the cache for every change and reads the result back from the storage', async () => {
    const inner = new Counted();
    const storage = new CachedStateStorage(inner, createCache());
    const writer = new StateWriter(storage, new SystemClock());
    const now = new Date().toISOString();
    const window = { id: 'a', scope: '*', mode: 'full' as const, startsAt: now, endsAt: null, createdAt: now };
    // The entry says off, but another process has turned maintenance on.
    await expect(storage.read()).resolves.toBeNull();
    await inner.write({ ...createState(1), windows: [window] }, null);
    const written = await writer.change(
      (windows) => (windows.length > 0 ? { action: 'off', windows: [], affected: [...windows] } : null),
      { via: 'code' },
    );
    expect(written.change?.affected).toHaveLength(1);
    expect((await inner.read())!.state.windows).toHaveLength(0);
    // Lost data of the storage is detected despite the cache.
    jest.spyOn(inner, 'write').mockResolvedValueOnce('never-was');
    await expect(
      writer.change(() => ({ action: 'on', windows: [window], affected: [window] }), { via: 'code' }),
    ).rejects.toThrow(/could not be read back/);
  });
});

describe('failing cache', () => {
  const never = (): Promise<never> => new Promise(() => undefined);
  const fail = async (): Promise<never> => {
    throw new Error('cache down');
  };
  const throws = (): never => {
    throw new Error('cache down');
  };

  it.each([
    ['is down', { get: fail, set: fail, del: fail }],
    ['throws', { get: throws, set: throws, del: throws }],
    ['hangs', { get: never, set: never, del: never }],
    ['only accepts writes', { get: never, set: async () => undefined, del: async () => true }],
    ['only answers reads', { get: async () => undefined, set: never, del: never }],
  ])('does not affect reads and writes if the cache %s', async (_name, cache) => {
    for (const ttl of [60_000, 0]) {
      const inner = new Counted();
      const storage = new CachedStateStorage(inner, cache, { patience: 100, ttl });
      expect(
        await measureTime(async () => {
          await expect(storage.read()).resolves.toBeNull();
          const version = await storage.write(createState(1), null);
          for (let round = 0; round < 20; round++)
            expect(await storage.read()).toEqual({ state: createState(1), version });
        }),
      ).toBeLessThan(1_200);
      inner.fail(new MaintenanceStorageError('unavailable', 'away'));
      await expect(storage.read()).rejects.toThrow('away');
      await expect(storage.write(createState(2), null)).rejects.toThrow('away');
    }
  });

  it('is used again once it answers', async () => {
    const inner = new Counted();
    const { promise, letGo } = gate();
    const cache = createCache();
    const get = jest.spyOn(cache, 'get').mockImplementationOnce(() => promise);
    const storage = new CachedStateStorage(inner, cache, { patience: 20 });
    for (let round = 0; round < 5; round++) await storage.read();
    expect(get).toHaveBeenCalledTimes(1);
    letGo();
    await until('it is saving', async () => {
      const { reads } = inner;
      await storage.read();
      return inner.reads === reads;
    });
  });

  const entry = { location: 'this process', version: 'a', state: createState(1) };
  it.each([
    null,
    1,
    true,
    '',
    'junk',
    '1',
    '{"location":',
    'null',
    '[]',
    {},
    entry,
    Buffer.from('x'),
    JSON.stringify({ ...entry, location: 'elsewhere' }),
    JSON.stringify({ ...entry, version: 5 }),
    JSON.stringify({ ...entry, state: undefined }),
    JSON.stringify({ ...entry, state: null }),
    JSON.stringify({ ...entry, state: { ...createState(1), format: 2 } }),
    JSON.stringify({ ...entry, state: { ...createState(1), windows: [{}] } }),
  ])('is ignored and repaired if it contains %j', async (junk) => {
    const inner = new Counted();
    const version = await inner.write(createState(7), null);
    const cache = createCache();
    await cache.set(KEY, junk);
    const storage = new CachedStateStorage(inner, cache);
    for (let round = 0; round < 3; round++) expect(await storage.read()).toEqual({ state: createState(7), version });
    expect(inner.reads).toBe(1);
  });
});

describe('cache option in an application', () => {
  let folder: string;
  let file: string;
  let lines: string[];
  const variables: string[] = [];
  const keep = (line: unknown): void => void lines.push(String(line));
  const logger: LoggerService = { log: () => undefined, error: keep, warn: keep };

  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'cached-'));
    file = `file:${join(folder, 'state.json')}`;
    lines = [];
  });
  afterEach(async () => {
    for (const name of variables.splice(0)) delete process.env[name];
    await rm(folder, { recursive: true, force: true });
  });

  function environment(values: Record<string, string>): void {
    Object.assign(process.env, values);
    variables.push(...Object.keys(values));
  }

  interface Booted {
    storage: StateStorage;
    maintenance: MaintenanceService;
  }

  async function boot(
    options: MaintenanceModuleOptions,
    imports: (DynamicModule | Promise<DynamicModule>)[] = [CacheModule.register()],
    look: (booted: Booted) => void | Promise<void> = () => undefined,
  ): Promise<void> {
    @Module({ imports: [MaintenanceModule.forRoot({ storage: file, ...options }), ...imports] })
    class AppModule {}
    const app = await NestFactory.createApplicationContext(AppModule, { logger, abortOnError: false });
    try {
      await look({
        storage: app.get<StateStorage>(StateStorage, { strict: false }),
        maintenance: app.get(MaintenanceService),
      });
    } finally {
      await app.close();
    }
  }

  const warnings = (): string[] => lines.filter((line) => /^The cache/.test(line));
  const sharedStore = (): { keyv: Keyv; entries: Map<string, unknown> } => {
    const entries = new Map<string, unknown>();
    const store = {
      opts: {},
      get: async (key: string) => entries.get(key),
      set: async (key: string, value: unknown) => entries.set(key, value),
      delete: async (key: string) => entries.delete(key),
      clear: async () => entries.clear(),
      on: () => store,
    };
    return { keyv: new Keyv({ store: store as never, namespace: 'app' }), entries };
  };

  it('is off by default and needs no CacheModule', async () => {
    for (const cache of [undefined, false]) {
      await boot({ cache }, [], ({ storage }) => expect(storage).toBeInstanceOf(FileStateStorage));
    }
    environment({ MAINTENANCE_CACHE_KEY: 'k', MAINTENANCE_CACHE_TTL: '5' });
    await boot({}, [], ({ storage }) => expect(storage).toBeInstanceOf(FileStateStorage));
    environment({ MAINTENANCE_CACHE: 'true' });
    await boot({ cache: false }, [], ({ storage }) => expect(storage).toBeInstanceOf(FileStateStorage));
  });

  it.each(['register', 'registerAsync', 'global'])(
    'uses the cache of a CacheModule registered with %s',
    async (kind) => {
      const { keyv, entries } = sharedStore();
      const factory = async (): Promise<{ stores: Keyv[] }> => {
        await new Promise((resolve) => setTimeout(resolve, 50));
        return { stores: [keyv] };
      };
      const cacheModule =
        kind === 'registerAsync'
          ? CacheModule.registerAsync({ useFactory: factory })
          : CacheModule.register({ stores: [keyv], isGlobal: kind === 'global' });
      await boot({ cache: true }, [cacheModule], async ({ storage, maintenance }) => {
        expect(storage).toBeInstanceOf(CachedStateStorage);
        expect(maintenance.status().storage).toMatchObject({ kind: 'file', location: join(folder, 'state.json') });
        await maintenance.enable();
        expect([...entries.keys()]).toEqual([`app:${KEY}`]);
        expect(JSON.stringify([...entries.values()])).toContain('windows');
      });
      expect(warnings()).toEqual([]);
    },
  );

  it('names the missing CacheModule', async () => {
    await expect(boot({ cache: true }, [])).rejects.toThrow(
      /^nestjs-maintenance: `cache` needs the application's cache: import CacheModule\.register\(\) of @nestjs\/cache-manager, or set `cache` to false/,
    );
  });

  it('reads key and time to live from code first, then from the environment', async () => {
    environment({
      MAINTENANCE_CACHE: 'true',
      MAINTENANCE_CACHE_KEY: 'from-environment',
      MAINTENANCE_CACHE_TTL: '5000',
    });
    for (const [cache, key, ttl] of [
      [undefined, 'from-environment', 5000],
      [true, 'from-environment', 5000],
      [{ key: 'from-code' }, 'from-code', 5000],
      [{ ttl: 7000 }, 'from-environment', 7000],
      [{ key: undefined, ttl: 0 }, 'from-environment', 0],
    ] as const) {
      const { keyv, entries } = sharedStore();
      const set = jest.spyOn(keyv, 'set');
      await boot({ cache }, [CacheModule.register({ stores: [keyv] })]);
      expect([...entries.keys()]).toEqual([`app:${key}`]);
      const given = set.mock.calls[0]![2]!;
      expect(given).toBeLessThanOrEqual(ttl);
      expect(given).toBeGreaterThan(ttl - 1000);
    }
  });

  it.each([
    [{ cache: 'yes' }, /option `cache` must be true, false or an object with key and ttl, not "yes"/],
    [{ cache: { ttl: -1 } }, /option `cache\.ttl` must be 0 \(for ever\) or more milliseconds, not -1/],
    [{ cache: { ttl: '5s' } }, /option `cache\.ttl` must be a number of milliseconds, not "5s"/],
    [{ cache: { key: '' } }, /option `cache\.key` must be a string that is not empty/],
    [{ cache: { time: 5 } }, /unknown option `cache\.time`. Known here: `cache\.key`, `cache\.ttl`/],
  ])('rejects the cache option %j', async (options, sentence) => {
    await expect(boot(options as MaintenanceModuleOptions)).rejects.toThrow(sentence);
  });

  it.each([
    ['MAINTENANCE_CACHE', 'maybe', /environment variable MAINTENANCE_CACHE, must be true or false, not "maybe"/],
    ['MAINTENANCE_CACHE_TTL', '5s', /environment variable MAINTENANCE_CACHE_TTL, must be a whole number, not "5s"/],
    [
      'MAINTENANCE_CACHE_TTL',
      '99999999999999999999',
      /environment variable MAINTENANCE_CACHE_TTL, must be a whole number of milliseconds/,
    ],
  ])('rejects %s=%s', async (name, value, sentence) => {
    environment({ [name]: value });
    await expect(boot({})).rejects.toThrow(sentence);
  });

  it('warns about an in-memory cache on a shared storage and rejects one that never expires', async () => {
    await boot({ cache: true, refreshInterval: 2000 });
    expect(warnings()).toEqual([
      `The cache of this application is in its memory and does not see what other processes write to ${join(folder, 'state.json')}: ` +
        'it may be up to 62 s behind (cache.ttl + refreshInterval). Configure CacheModule with a store that all instances share, such as Redis (@keyv/redis).',
    ]);
    await expect(boot({ cache: { ttl: 0 } })).rejects.toThrow(
      /^nestjs-maintenance: `cache\.ttl` is 0, so that entries never expire, but the cache of this application is in its memory.*set a `ttl`\.$/,
    );
    await boot({ cache: { ttl: 0 } }, [CacheModule.register({ stores: [sharedStore().keyv] })]);
    await boot({ cache: { ttl: 0 }, storage: new MemoryStateStorage() });
    expect(warnings()).toHaveLength(1);
  });

  it('recognizes an in-memory cache', () => {
    const local = new Keyv();
    const { keyv: shared } = sharedStore();
    class CacheableMemory extends Map {}
    expect(isLocalCache(createCache())).toBe(true);
    expect(isLocalCache(createCache({ stores: [local] }))).toBe(true);
    expect(isLocalCache(createCache({ stores: [new Keyv({ store: new CacheableMemory() })] }))).toBe(true);
    expect(isLocalCache(createCache({ stores: [shared] }))).toBe(false);
    expect(isLocalCache(createCache({ stores: [local, shared] }))).toBe(true);
    expect(isLocalCache({ stores: [{ primary: local, secondary: shared }] })).toBe(true);
    expect(isLocalCache({ stores: [{ primary: shared, secondary: undefined }] })).toBe(false);
    expect(isLocalCache({ get: () => undefined })).toBe(false);
    expect(isLocalCache({ stores: [null, {}, 'x'] })).toBe(false);
    expect(isLocalCache(createCache({ stores: [createKeyv('redis://127.0.0.1:1')] }))).toBe(false);
  });

  it('does not read the storage while the entry is valid, and applies pushed changes', async () => {
    const storage = new Counted();
    const { keyv } = sharedStore();
    await boot(
      { storage, cache: true, refreshInterval: 5 },
      [CacheModule.register({ stores: [keyv] })],
      async ({ maintenance }) => {
        const before = storage.reads;
        const get = jest.spyOn(keyv, 'get');
        await until('the monitor has read 20 times', () => get.mock.calls.length > 20);
        expect(storage.reads).toBe(before);
        const other = new StateWriter(storage, new SystemClock());
        const now = new Date().toISOString();
        const window = { id: 'a', scope: '*', mode: 'full' as const, startsAt: now, endsAt: null, createdAt: now };
        await other.change(() => ({ action: 'on', windows: [window], affected: [window] }), { via: 'cli' });
        await until('it is on', () => maintenance.isActive(), 500);
        await maintenance.disable();
        expect((await storage.read())!.state.windows).toEqual([]);
      },
    );
  });
});
