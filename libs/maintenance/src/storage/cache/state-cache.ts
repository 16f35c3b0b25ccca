import type { CacheableInternals, KeyvInternals } from '../../nest-internals.js';

/** Settings of the entry that keeps the state in the application's cache. */
export interface CacheOptions {
  /**
   * The key of the cache entry.
   *
   * Environment variable: `MAINTENANCE_CACHE_KEY`
   *
   * @defaultValue `'maintenance_mode_state'`
   */
  key?: string;
  /**
   * How long an entry counts, in milliseconds; 0 = forever. Other instances may be behind by this plus
   * `refreshInterval`.
   *
   * Environment variable: `MAINTENANCE_CACHE_TTL`
   *
   * @defaultValue `60000`
   */
  ttl?: number;
}

/** The part of a `cache-manager` cache that `CachedStateStorage` uses; its own types do not appear here. */
export interface StateCache {
  /** Returns the value of an entry, or `undefined` for a miss. */
  get(key: string): Promise<unknown>;
  /** Writes an entry that lasts for `ttl` milliseconds; 0 = forever. */
  set(key: string, value: unknown, ttl?: number): Promise<unknown>;
  /** Removes an entry. */
  del(key: string): Promise<unknown>;
}

/** Returns the Keyvs behind a cache. */
export function getKeyvs(cache: object): KeyvInternals[] {
  const { stores } = cache as { stores?: unknown };
  if (!Array.isArray(stores)) return [];
  return (stores as ((KeyvInternals & CacheableInternals) | null)[])
    .flatMap((store) => [store?.primary ?? store, store?.secondary])
    .filter((keyv) => typeof keyv === 'object' && keyv !== null);
}
