import { hasLeasedWindow, LEASE_REFRESH_INTERVAL_MS } from '../../core/lease-changes.js';
import type { MaintenanceState } from '../../core/maintenance-state.js';
import { SystemClock } from '../../utils/clock.js';
import { withTimeout } from '../../utils/with-timeout.js';
import type { StateStorage, VersionedState } from '../state-storage.js';
import {
  createEntry,
  formatEntry,
  isNewerState,
  isSameState,
  parseEntry,
  type CacheEntry,
  type StateId,
} from './cache-entry.js';
import { getKeyvs, type CacheOptions, type StateCache } from './state-cache.js';

/** Settings of a {@link CachedStateStorage}. */
export interface CachedStateStorageOptions extends CacheOptions {
  /**
   * How long to wait for the cache before the storage is read instead, in milliseconds.
   *
   * @defaultValue 500
   */
  patience?: number;
}

/** A cache that failed or timed out is not used again for so many milliseconds. */
const CACHE_COOLDOWN_MS = 5_000;

const CLOCK = new SystemClock();

/**
 * Caches the state, so that the storage is read on a miss only. A write goes to the storage first, then to the cache.
 * A failing cache only loses the optimisation. A cache that was disconnected is not used again.
 *
 * An entry is used only if it is what this instance knows, or a later revision of it; otherwise the storage is read and
 * the entry replaced. No entry outlives `ttl`, counted from the moment the storage was asked, so that other instances
 * are never behind by more, whichever instance wrote the entry and however late. An entry with a window under a lease
 * lasts 10 s at most, because the lease is renewed as often.
 *
 * `watch` passes the storage's notifications on, and the read that follows one skips the cache. So does
 * {@link CachedStateStorage.readFresh}, which every change of the state starts from.
 *
 * @example
 * ```ts
 * const s3 = new S3StateStorage({ bucket: 'shop', key: 'maintenance.json' });
 * const storage = new CachedStateStorage(s3, createCache());
 * ```
 */
export class CachedStateStorage implements StateStorage {
  /** Watches the storage behind the cache. Missing if that storage can't notify. */
  readonly watch?: StateStorage['watch'];
  /** Stores a report in the storage behind the cache. Missing if that storage keeps no reports. */
  readonly report?: StateStorage['report'];
  /** Returns the reports in the storage behind the cache. Missing if that storage keeps no reports. */
  readonly reports?: StateStorage['reports'];
  readonly #key: string;
  readonly #ttl: number;
  readonly #cacheTimeoutMs: number;
  /** The state that this instance last read or wrote. If it was replaced during a read, that read may be outdated. */
  #known: StateId | undefined;
  /** Set while the cache may be behind the storage; only a read of the storage that began later removes it. */
  #invalidation: symbol | undefined;
  /** When the cache may be used again, on the clock of `performance.now()`; `Infinity` once it was disconnected. */
  #retryCacheAt = 0;

  /**
   * @param storage - the storage to read on a miss, and to write
   * @param cache - a `cache-manager` cache, which all instances should share
   * @param options - settings
   */
  constructor(
    private readonly storage: StateStorage,
    private readonly cache: StateCache,
    options: CachedStateStorageOptions = {},
  ) {
    const { key = 'maintenance_mode_state', ttl = 60_000, patience = 500 } = options;
    this.#key = key;
    this.#ttl = ttl;
    this.#cacheTimeoutMs = patience;
    // Nest disconnects the cache early in the shutdown, and the state is read until the end. A call of the cache would
    // connect its client of Redis again, which would keep the process alive.
    for (const keyv of getKeyvs(cache)) keyv.on?.('disconnect', () => (this.#retryCacheAt = Infinity));
    // Only what the storage implements, too: the module checks for the methods.
    if (storage.watch) {
      this.watch = (changed) =>
        storage.watch!(() => {
          this.#invalidate();
          changed();
        });
    }
    if (storage.report) this.report = (report) => storage.report!(report);
    if (storage.reports) this.reports = () => storage.reports!();
  }

  /** The kind of the storage behind the cache. */
  get kind(): string {
    return this.storage.kind;
  }

  /** The location of the storage behind the cache. */
  get location(): string {
    return this.storage.location;
  }

  /** Whether the storage behind the cache may lose data on its own. */
  get isVolatile(): boolean {
    return this.storage.isVolatile ?? false;
  }

  /**
   * Reads the cache, and the storage on a miss. Errors of the storage are not cached.
   *
   * @returns `null` if nothing is stored
   * @throws the error of the storage
   */
  async read(): Promise<VersionedState | null> {
    const entry = this.#invalidation ? undefined : await this.#getEntry();
    // Checked after the wait: a notification or a write may have come in between.
    if (!entry || this.#invalidation || !this.#isUsable(entry.id)) return this.readFresh();
    this.#remember(entry.id);
    return entry.content;
  }

  /**
   * Reads the storage, whatever is cached, and replaces the entry.
   *
   * @returns `null` if nothing is stored
   * @throws the error of the storage
   */
  async readFresh(): Promise<VersionedState | null> {
    const [known, invalidation, askedAt] = [this.#known, this.#invalidation, performance.now()];
    const content = (await this.storage.read()) ?? null;
    const entry = createEntry(content);
    if (!entry) return content;
    if (this.#invalidation === invalidation) this.#invalidation = undefined;
    // A write or another read that finished first knows better, unless the revision says otherwise.
    const isLatest = this.#known === known || isNewerState(entry.id, this.#known!);
    if (isLatest) await this.#putEntry(entry, askedAt);
    return content;
  }

  /**
   * Writes the storage, then the cache. A write that the storage refuses does not change the cache.
   *
   * @returns the new version
   * @throws the error of the storage
   */
  async write(next: MaintenanceState, ifVersion: string | null): Promise<string> {
    const askedAt = performance.now();
    let version: string;
    try {
      version = await this.storage.write(next, ifVersion);
    } catch (error) {
      // Another writer was first, or the outcome is unknown.
      this.#invalidate();
      throw error;
    }
    const entry = createEntry({ state: next, version });
    const isOvertaken = entry && this.#known && isNewerState(this.#known, entry.id);
    if (entry && !isOvertaken) await this.#putEntry(entry, askedAt);
    return version;
  }

  /** Closes the storage. The cache belongs to the application. */
  async close(): Promise<void> {
    await this.storage.close?.();
  }

  #invalidate(): void {
    this.#invalidation = Symbol('invalidation');
  }

  #isUsable(id: StateId): boolean {
    return !this.#known || isSameState(id, this.#known) || isNewerState(id, this.#known);
  }

  #remember(id: StateId): void {
    if (!this.#known || !isSameState(id, this.#known)) this.#known = id;
  }

  async #putEntry(entry: CacheEntry, askedAt: number): Promise<void> {
    this.#remember(entry.id);
    const found = await this.#getEntry();
    // A write or a read that finished meanwhile has put another entry.
    if (!isSameState(entry.id, this.#known!)) return;
    // So has another instance. Without a `ttl` the storage decides, because a restored backup is older as well.
    if (this.#ttl > 0 && found && isNewerState(found.id, entry.id)) return;
    const longest = hasLeasedWindow(entry.content?.state) ? LEASE_REFRESH_INTERVAL_MS : Infinity;
    const ttl = Math.min(this.#ttl || Infinity, longest);
    const remaining = ttl - (performance.now() - askedAt);
    if (remaining < 1) return;
    const text = formatEntry(entry, this.location);
    await this.#callCache(() => this.cache.set(this.#key, text, ttl < Infinity ? Math.floor(remaining) : 0));
    if (this.#ttl === 0) await this.#removeIfOvertaken(entry.id);
  }

  /** Removes an entry without a `ttl` that replaced the newer one of another instance: nothing else would end it. */
  async #removeIfOvertaken(id: StateId): Promise<void> {
    try {
      const current = createEntry((await this.storage.read()) ?? null);
      if (current && isSameState(current.id, id)) return;
    } catch {
      // Remove the entry if the storage can't be read.
    }
    this.#invalidate();
    await this.#callCache(() => this.cache.del(this.#key));
  }

  async #getEntry(): Promise<CacheEntry | undefined> {
    return parseEntry(await this.#callCache(() => this.cache.get(this.#key)), this.location);
  }

  /** Returns what the cache answers; `undefined` if it fails, times out, or did so a moment ago. */
  async #callCache(call: () => Promise<unknown>): Promise<unknown> {
    if (performance.now() < this.#retryCacheAt) return undefined;
    try {
      return await withTimeout(call, CLOCK, this.#cacheTimeoutMs);
    } catch {
      this.#retryCacheAt = Math.max(this.#retryCacheAt, performance.now() + CACHE_COOLDOWN_MS);
      return undefined;
    }
  }
}

/**
 * Returns the storage behind a cache, for reads that must not be behind.
 *
 * @param storage - any storage, cached or not
 */
export function unwrapCache(storage: StateStorage): Pick<StateStorage, 'read' | 'location'> {
  const cached = storage as StateStorage & Partial<Pick<CachedStateStorage, 'readFresh'>>;
  return cached.readFresh ? { location: cached.location, read: () => cached.readFresh!() } : storage;
}
