import { hasLeasedWindow, LEASE_REFRESH_INTERVAL_MS } from '../../core/lease-changes.js';
import type { MaintenanceState } from '../../core/maintenance-state.js';
import { assertState } from '../../core/state-format.js';
import { SystemClock } from '../../utils/clock.js';
import { withTimeout } from '../../utils/with-timeout.js';
import type { StateStorage, VersionedState } from '../state-storage.js';
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

/**
 * Caches the state, so that the storage is read on a miss only. A write goes to the storage and removes the entry. A
 * failing cache only loses the optimisation.
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
  readonly #options: Required<CachedStateStorageOptions>;
  /** The state that this instance last read. */
  #known: StateId | undefined;
  /** Whether the cache may be behind the storage. */
  #isOutdated = false;
  /** Numbers the reads of the storage, in the order of their start, and the changes that may outdate them. */
  #lastNumber = 0;
  /** Reads up to this number may be outdated. */
  #outdatedNumber = 0;
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
    { key = 'maintenance_mode_state', ttl = 60_000, patience = 500 }: CachedStateStorageOptions = {},
  ) {
    this.#options = { key, ttl, patience };
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
    const value = this.#isOutdated ? undefined : await this.#callCache(() => this.cache.get(this.#options.key));
    const found = parseEntry(value, this.location);
    // Checked after the wait: a notification or a write may have come in between.
    if (found === undefined || this.#isOutdated || !continuesState(found, this.#known)) return this.readFresh();
    this.#known = identifyState(found);
    return found;
  }

  /**
   * Reads the storage, whatever is cached, and replaces the entry.
   *
   * @returns `null` if nothing is stored
   * @throws the error of the storage
   */
  async readFresh(): Promise<VersionedState | null> {
    const number = ++this.#lastNumber;
    const askedAt = performance.now();
    const found = (await this.storage.read()) ?? null;
    // Otherwise a write, a notification or a later read came in between, and knows better.
    if (number > this.#outdatedNumber) {
      this.#outdatedNumber = number;
      this.#isOutdated = false;
      this.#known = identifyState(found);
      await this.#callCache(() => this.#setEntry(found, askedAt));
    }
    return found;
  }

  /**
   * Writes the storage, then removes the entry: the next read replaces it.
   *
   * @returns the new version
   * @throws the error of the storage
   */
  async write(next: MaintenanceState, ifVersion: string | null): Promise<string> {
    try {
      return await this.storage.write(next, ifVersion);
    } finally {
      // After an error too: another writer was first, or the outcome is unknown.
      this.#invalidate();
      await this.#callCache(() => this.cache.del(this.#options.key));
    }
  }

  /** Closes the storage. The cache belongs to the application. */
  async close(): Promise<void> {
    await this.storage.close?.();
  }

  #invalidate(): void {
    this.#outdatedNumber = ++this.#lastNumber;
    this.#isOutdated = true;
  }

  async #setEntry(found: VersionedState | null, askedAt: number): Promise<void> {
    const { key, ttl } = this.#options;
    const longest = hasLeasedWindow(found?.state) ? LEASE_REFRESH_INTERVAL_MS : Infinity;
    const remaining = Math.floor(Math.min(ttl || Infinity, longest) - (performance.now() - askedAt));
    if (remaining < 1) return;
    const text = JSON.stringify({ location: this.location, version: found?.version ?? null, state: found?.state });
    await this.cache.set(key, text, Number.isFinite(remaining) ? remaining : 0);
  }

  /** Returns what the cache answers; `undefined` if it fails, times out, or did so a moment ago. */
  async #callCache(call: () => Promise<unknown>): Promise<unknown> {
    if (performance.now() < this.#retryCacheAt) return undefined;
    try {
      return await withTimeout(call, new SystemClock(), this.#options.patience);
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

/** Identifies the content of a storage; all members are missing if nothing is stored. */
interface StateId {
  lineage?: string;
  revision?: number;
  version?: string;
}

function identifyState(found: VersionedState | null): StateId {
  // A custom storage may return anything.
  return { lineage: found?.state?.lineage, revision: found?.state?.revision, version: found?.version };
}

function continuesState(found: VersionedState | null, known: StateId | undefined): boolean {
  if (!known) return true;
  const { lineage, revision = 0, version } = identifyState(found);
  return lineage === known.lineage && (version === known.version || revision > (known.revision ?? 0));
}

/** Returns `undefined` for a miss, for anything that is not an entry, and for the entry of another storage. */
function parseEntry(value: unknown, location: string): VersionedState | null | undefined {
  if (typeof value !== 'string') return undefined;
  try {
    const entry = JSON.parse(value) as { location?: unknown; version?: unknown; state?: unknown } | null;
    if (entry?.location !== location) return undefined;
    const { state, version } = entry;
    if (version === null) return null;
    assertState(state);
    return typeof version === 'string' ? { state, version } : undefined;
  } catch {
    return undefined;
  }
}
