import { setTimeout as pause } from 'node:timers/promises';
import type { ModuleRef } from '@nestjs/core';
import { CACHE_MANAGER, IN_MEMORY_STORE_PATTERN } from '../../nest-internals.js';
import { MaintenanceLogger } from '../../utils/maintenance-logger.js';
import { MaintenanceOptionsError } from '../../errors/maintenance-options.error.js';
import type { StateStorage } from '../state-storage.js';
import { CachedStateStorage } from './cached-state-storage.js';
import { getKeyvs, type CacheOptions, type StateCache } from './state-cache.js';

/** Milliseconds to wait for a cache that is still being made. */
const CACHE_READY_TIMEOUT_MS = 10_000;

/**
 * Wraps a storage with the application's cache.
 *
 * @param storage - the storage to cache
 * @param options - the entry in the cache
 * @param refreshInterval - the interval between two reads, in milliseconds, for the warning
 * @param modules - where the cache is looked up
 * @throws {@link MaintenanceOptionsError} if there is no cache, or one that could serve an old state forever
 */
export async function wrapWithApplicationCache(
  storage: StateStorage,
  options: Required<CacheOptions>,
  refreshInterval: number,
  modules: ModuleRef,
): Promise<StateStorage> {
  const { key, ttl } = options;
  const cache = await findCache(modules);
  if (isLocalCache(cache) && storage.kind !== 'memory') {
    const reason =
      'the cache of this application is in its memory and does not see what other processes write to ' +
      storage.location;
    const remedy = 'Configure CacheModule with a store that all instances share, such as Redis (@keyv/redis)';
    if (ttl === 0) {
      throw new MaintenanceOptionsError(
        `\`cache.ttl\` is 0, so that entries never expire, but ${reason}. ${remedy}, or set a \`ttl\`.`,
      );
    }
    const maxLagSeconds = (ttl + refreshInterval) / 1000;
    new MaintenanceLogger().warn(
      `${capitalize(reason)}: it may be up to ${maxLagSeconds} s behind (cache.ttl + refreshInterval). ${remedy}.`,
    );
  }
  return new CachedStateStorage(storage, cache, { key, ttl });
}

async function findCache(modules: ModuleRef): Promise<StateCache> {
  // The cache belongs to another module, which may still be creating it and need not be global.
  for (const deadline = performance.now() + CACHE_READY_TIMEOUT_MS; performance.now() < deadline;) {
    const cache = getCache(modules);
    if (cache) return cache;
    await pause(5);
  }
  throw new MaintenanceOptionsError(
    `\`cache\`: the application's cache (${CACHE_MANAGER}) was not ready after ${CACHE_READY_TIMEOUT_MS / 1000} s. ` +
      'Check that its factory does not wait for a provider of this module.',
  );
}

function getCache(modules: ModuleRef): StateCache | null {
  try {
    return modules.get<StateCache | null>(CACHE_MANAGER, { strict: false });
  } catch (error) {
    throw new MaintenanceOptionsError(
      "`cache` needs the application's cache: import CacheModule.register() of @nestjs/cache-manager, or set `cache` " +
        'to false (environment: MAINTENANCE_CACHE).',
      { cause: error },
    );
  }
}

/** Whether a cache, or one of its stores, is in the memory of this process. Unknown stores are assumed to be shared. */
export function isLocalCache(cache: object): boolean {
  return getKeyvs(cache).some(({ opts }) => IN_MEMORY_STORE_PATTERN.test(opts?.store?.constructor?.name ?? ''));
}

function capitalize(text: string): string {
  return text.charAt(0).toUpperCase() + text.slice(1);
}
