import { setTimeout as pause } from 'node:timers/promises';
import type { ModuleRef } from '@nestjs/core';
import { MaintenanceLogger } from '../../utils/maintenance-logger.js';
import { MaintenanceOptionsError } from '../../errors/maintenance-options.error.js';
import type { StateStorage } from '../state-storage.js';
import { CachedStateStorage } from './cached-state-storage.js';
import type { CacheOptions, StateCache } from './state-cache.js';

// The token of @nestjs/cache-manager, which need not be installed.
const CACHE_MANAGER = 'CACHE_MANAGER';

/** Milliseconds to wait for a cache that is still being made. */
const CACHE_READY_TIMEOUT_MS = 10_000;

/**
 * Puts the application's cache before a storage.
 *
 * @throws {@link MaintenanceOptionsError} where there is no cache, or one that could never be right
 */
export async function wrapWithApplicationCache(
  storage: StateStorage,
  { key, ttl }: Required<CacheOptions>,
  refreshInterval: number,
  modules: ModuleRef,
): Promise<StateStorage> {
  const cache = await findCache(modules);
  if (isLocalCache(cache) && storage.kind !== 'memory') {
    const place =
      'the cache of this application is in its own memory, where it does not see what other processes write to';
    const remedy = 'Give CacheModule a store that all of them share, such as Redis (@keyv/redis)';
    if (ttl === 0) {
      throw new MaintenanceOptionsError(
        `\`cache.ttl\` is 0, so that an entry would hold for ever, but ${place} ${storage.location}. ${remedy}, or set a \`ttl\`.`,
      );
    }
    const bound = (ttl + refreshInterval) / 1000;
    new MaintenanceLogger().warn(
      `${capitalize(place)} ${storage.location}: it may be behind by ${bound} s (cache.ttl + refreshInterval). ${remedy}.`,
    );
  }
  return new CachedStateStorage(storage, cache, { key, ttl });
}

async function findCache(modules: ModuleRef): Promise<StateCache> {
  // It belongs to another module, which may not have made it yet, and which need not be a global one.
  for (const deadline = performance.now() + CACHE_READY_TIMEOUT_MS; performance.now() < deadline;) {
    const cache = getCache(modules);
    if (cache) return cache;
    await pause(5);
  }
  throw new MaintenanceOptionsError(
    `the application's cache (${CACHE_MANAGER}) was not ready after ${CACHE_READY_TIMEOUT_MS / 1000} s. Does its factory wait for something of this module?`,
  );
}

function getCache(modules: ModuleRef): StateCache | null {
  try {
    return modules.get<StateCache | null>(CACHE_MANAGER, { strict: false });
  } catch (error) {
    throw new MaintenanceOptionsError(
      "`cache` needs the application's cache: import CacheModule.register() of @nestjs/cache-manager, or set `cache` to false " +
        '(environment: MAINTENANCE_CACHE).',
      { cause: error },
    );
  }
}

/**
 * Whether a cache, or a part of it, is in the memory of this process. What is not known to be is taken for shared: the
 * stores of others need not look like anything.
 */
export function isLocalCache(cache: object): boolean {
  const { stores = [] } = cache as { stores?: unknown };
  return Array.isArray(stores) && stores.some(isLocalStore);
}

/** Stores in memory that can be given to Keyv: its own, and those of cacheable, quick-lru and lru-cache. */
const LOCAL_STORE_PATTERN = /^_*(?:Map|BigMap|CacheableMemory|KeyvCacheableMemory|QuickLRU|LRUCache)\d*$/;

function isLocalStore(store: unknown): boolean {
  // A Keyv has one store; a Cacheable has a first one and perhaps a second, each of them a Keyv.
  const { opts, primary, secondary } = (store ?? {}) as {
    opts?: { store?: object };
    primary?: unknown;
    secondary?: unknown;
  };
  if (primary) return isLocalStore(primary) || (secondary !== undefined && isLocalStore(secondary));
  return LOCAL_STORE_PATTERN.test(opts?.store?.constructor?.name ?? '');
}

function capitalize(text: string): string {
  return text.charAt(0).toUpperCase() + text.slice(1);
}
