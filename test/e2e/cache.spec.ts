import { CACHE_MANAGER, CacheModule } from '@nestjs/cache-manager';
import type { Cache } from 'cache-manager';
import { Keyv } from 'keyv';
import { MemoryStateStorage } from 'nestjs-maintenance/testing';
import { until } from '../tools/waiting.js';
import { ADAPTER_REGISTRATIONS, start, type Running, type Setup } from './application.js';

describe.each(ADAPTER_REGISTRATIONS)('the cache option (%s, %s)', (adapter, registration) => {
  let running: Running | undefined;
  afterEach(async () => running?.close());

  /** Returns a CacheModule with a custom store, which might be shared. */
  function createSharedCache(): NonNullable<Setup['imports']>[number] {
    const entries = new Map<string, unknown>();
    const store = {
      opts: {},
      get: (key: string) => entries.get(key),
      set: (key: string, value: unknown) => entries.set(key, value),
      delete: (key: string) => entries.delete(key),
      clear: () => entries.clear(),
      on: () => store,
    };
    return CacheModule.register({ stores: [new Keyv({ store: store as never })], isGlobal: true });
  }

  it('caches the state under its key and applies changes immediately', async () => {
    running = await start(adapter, {
      registration,
      imports: [createSharedCache()],
      options: { storage: new MemoryStateStorage(), cache: { key: 'switch', ttl: 60_000 } },
    });
    const { maintenance, app, call } = running;
    expect((await call('/nothing')).status).toBe(404);
    await maintenance.enable({ message: 'Back at four' });
    expect((await call('/nothing')).status).toBe(503);
    const cache = app.get<Cache>(CACHE_MANAGER, { strict: false });
    expect(JSON.stringify(await cache.get('switch'))).toContain('Back at four');
    await maintenance.disable();
    expect((await call('/nothing')).status).toBe(404);
    expect(JSON.parse((await cache.get<string>('switch'))!)).toMatchObject({ state: { revision: 2, windows: [] } });
  });

  it('avoids storage reads until the entry expires', async () => {
    const storage = new MemoryStateStorage();
    const read = jest.spyOn(storage, 'read');
    running = await start(adapter, {
      registration,
      imports: [createSharedCache()],
      options: { storage, cache: true, refreshInterval: 100 },
    });
    const before = read.mock.calls.length;
    const { maintenance } = running;
    const seen = maintenance.status().storage.lastReadAt!;
    await until('it has read again', () => maintenance.status().storage.lastReadAt !== seen);
    expect(read.mock.calls.length).toBe(before);
  });

  it('fails at startup without a CacheModule', async () => {
    await expect(start(adapter, { registration, options: { cache: true } })).rejects.toThrow(
      /`cache` needs the application's cache: import CacheModule\.register\(\)/,
    );
  });

  it('fails at startup with a local store and ttl 0', async () => {
    await expect(
      start(adapter, {
        registration,
        imports: [CacheModule.register({ isGlobal: true })],
        options: { cache: { ttl: 0 } },
      }),
    ).rejects.toThrow(/`cache\.ttl` is 0/);
  });
});
