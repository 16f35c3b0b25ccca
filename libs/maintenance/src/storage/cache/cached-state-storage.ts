import { hasLeasedWindow, LEASE_REFRESH_INTERVAL_MS } from '../../core/lease-changes.js';
import { parseState } from '../../core/state-format.js';
import type { MaintenanceState } from '../../core/maintenance-state.js';
import type { StateStorage, VersionedState } from '../state-storage.js';

/** What is needed of a cache of `cache-manager`: a time to live in milliseconds, 0 for ever; `undefined` for a miss. */
export interface StateCache {
  get(key: string): Promise<unknown>;
  set(key: string, value: unknown, ttl?: number): Promise<unknown>;
  del(key: string): Promise<unknown>;
}

/** Settings of a {@link CachedStateStorage}. */
export interface CachedStateStorageOptions {
  /** The key of the entry in the cache. Default: `maintenance_mode_state`. */
  key?: string;
  /** Milliseconds for which an entry counts, from the moment when the storage was asked; 0: for ever. Default: 60000. */
  ttl?: number;
  /** Milliseconds to wait for the cache before the storage is asked instead. Default: 500. */
  patience?: number;
}

/** Milliseconds for which a cache that did not answer is left alone, unless it answers after all. */
const CACHE_COOLDOWN_MS = 30_000;

/** Which state it is; `null`: there is none. */
type StateId = { lineage: string; revision: number; version: string } | null;

interface Entry {
  content: VersionedState | null;
  stateId: StateId;
}

/** When something began: in the order of things, and by the clock. */
interface OperationStart {
  tick: number;
  at: number;
}

/**
 * Keeps a copy of the state in a cache, so that the storage is read on a miss only. A write goes to the storage first,
 * then to the cache. A cache that is down, slow or holds junk costs nothing but the saving.
 *
 * An entry counts if it continues what this process knows: the same lineage, and no older revision. Everything else is
 * settled by the storage, and replaced. An entry never outlives `ttl`, counted from the moment when the storage was
 * asked, so that whoever reads it is behind by no more than that, whichever process put it there and however late. With a
 * window under a lease in it, it is over after 10 s: renewals of the lease come as often.
 *
 * `watch` passes the storage's notifications on, and the read that follows one goes past the cache. So does
 * {@link readFresh}, from which changes are worked out.
 *
 * @example
 * ```ts
 * const storage = new CachedStateStorage(new S3StateStorage({ bucket: 'shop', key: 'maintenance.json' }), createCache());
 * ```
 */
export class CachedStateStorage implements StateStorage {
  readonly watch?: StateStorage['watch'];
  readonly report?: StateStorage['report'];
  readonly reports?: StateStorage['reports'];
  readonly #key: string;
  readonly #ttl: number;
  readonly #cacheTimeoutMs: number;

  #tick = 0;
  /** What this process last learned, and when; `undefined`: nothing yet. */
  #lastId: StateId | undefined;
  #lastIdTick = 0;
  /** When the cache became doubtful, and when the storage was last asked with success. */
  #invalidatedAt = 0;
  #storageReadAt = 0;
  #cooldown: { until: number } | undefined;

  constructor(
    private readonly storage: StateStorage,
    private readonly cache: StateCache,
    { key = 'maintenance_mode_state', ttl = 60_000, patience = 500 }: CachedStateStorageOptions = {},
  ) {
    this.#key = key;
    this.#ttl = ttl;
    this.#cacheTimeoutMs = patience;
    // What the storage leaves out is left out here, too.
    if (storage.watch) this.watch = (changed) => storage.watch!(() => this.#notify(changed));
    if (storage.report) this.report = (report) => storage.report!(report);
    if (storage.reports) this.reports = () => storage.reports!();
  }

  /** The storage's. */
  get kind(): string {
    return this.storage.kind;
  }

  get isVolatile(): boolean {
    return this.storage.isVolatile ?? false;
  }

  /** The storage's. */
  get location(): string {
    return this.storage.location;
  }

  /** Reads the cache, and the storage where that does not answer. Errors of the storage are never cached. */
  async read(): Promise<VersionedState | null> {
    if (!this.#isInvalidated()) {
      const entry = await this.#get();
      // Asked again, for meanwhile things may have changed.
      if (entry && !this.#isInvalidated() && this.#isUsable(entry.stateId)) {
        this.#recordVersion(entry.stateId, this.#begin());
        return entry.content;
      }
    }
    return this.readFresh();
  }

  /** Reads the storage, whatever the cache says, and renews the entry. */
  async readFresh(): Promise<VersionedState | null> {
    const began = this.#begin();
    const content = (await this.storage.read()) ?? null;
    const mark = getStateId(content);
    if (mark === undefined) return content;
    this.#storageReadAt = Math.max(this.#storageReadAt, began.tick);
    // Overtaken by a write of this process, it must not come after that one's entry.
    if (this.#recordVersion(mark, began)) await this.#put({ content, stateId: mark }, began);
    return content;
  }

  /** Writes the storage, then the cache. What the storage refuses changes nothing there. */
  async write(next: MaintenanceState, ifVersion: string | null): Promise<string> {
    const began = this.#begin();
    let version: string;
    try {
      version = await this.storage.write(next, ifVersion);
    } catch (error) {
      // Somebody else came first, or it is not known what was done: the storage has to be asked.
      this.#invalidate();
      throw error;
    }
    const mark = { lineage: next.lineage, revision: next.revision, version };
    if (this.#recordVersion(mark, began)) await this.#put({ content: { state: next, version }, stateId: mark }, began);
    else this.#invalidate();
    return version;
  }

  /** Closes the storage. The cache is the application's. */
  async close(): Promise<void> {
    await this.storage.close?.();
  }

  #begin(): OperationStart {
    return { tick: ++this.#tick, at: performance.now() };
  }

  #notify(changed: () => void): void {
    this.#invalidate();
    changed();
  }

  /** From now on, until the storage was asked, the cache is not. */
  #invalidate(): void {
    this.#invalidatedAt = ++this.#tick;
  }

  #isInvalidated(): boolean {
    return this.#storageReadAt < this.#invalidatedAt;
  }

  /** Whether an entry can be believed without asking the storage. */
  #isUsable(mark: StateId): boolean {
    if (this.#lastId === undefined) return true;
    return isSame(mark, this.#lastId) || isLater(mark, this.#lastId);
  }

  /**
   * Takes note of what the storage or the cache gave. What began before the last news came may be older than these:
   * then it is taken only if its revision says that it is not.
   *
   * @returns whether it holds now
   */
  #recordVersion(mark: StateId, began: OperationStart): boolean {
    if (isSame(mark, this.#lastId)) return true;
    const isNews = this.#lastId === undefined || began.tick > this.#lastIdTick || isLater(mark, this.#lastId);
    if (!isNews) return false;
    this.#lastId = mark;
    this.#lastIdTick = ++this.#tick;
    return true;
  }

  /** Puts what was read or written into the cache, unless something newer is there by now. */
  async #put(entry: Entry, began: OperationStart): Promise<void> {
    const found = await this.#get();
    // A write of this process was faster.
    if (!isSame(entry.stateId, this.#lastId)) return;
    if (this.#ttl > 0) {
      // Newer, or from before a backup was put back: then it is over soon.
      if (!found || !isLater(found.stateId, entry.stateId)) await this.#set(entry, began);
    } else if (await this.#set(entry, began)) await this.#verifyEntry(entry.stateId);
  }

  /**
   * Another process may have written, and put its entry, just before ours came over it. With a time to live that is over
   * soon; an entry that lasts for ever has to be compared with the storage once more.
   */
  async #verifyEntry(mark: StateId): Promise<void> {
    const began = this.#begin();
    try {
      const content = (await this.storage.read()) ?? null;
      const found = getStateId(content);
      if (found === undefined || isSame(found, mark)) return;
      if (this.#recordVersion(found, began)) await this.#put({ content, stateId: found }, began);
    } catch {
      await this.#callCache(() => this.cache.del(this.#key));
    }
  }

  async #get(): Promise<Entry | undefined> {
    const asked = await this.#callCache(() => this.cache.get(this.#key));
    return asked && parseEntry(asked.answer, this.location);
  }

  async #set({ content, stateId: mark }: Entry, { at }: OperationStart): Promise<boolean> {
    const longest = hasLeasedWindow(content?.state) ? LEASE_REFRESH_INTERVAL_MS : Infinity;
    const ttl = Math.min(this.#ttl || Infinity, longest);
    const left = ttl - (performance.now() - at);
    if (left < 1) return false;
    const text = JSON.stringify({ location: this.location, version: mark?.version ?? null, state: content?.state });
    return (
      (await this.#callCache(() => this.cache.set(this.#key, text, ttl < Infinity ? Math.floor(left) : 0))) !==
      undefined
    );
  }

  /** What the cache answers; `undefined` if it fails or takes too long. */
  async #callCache(call: () => Promise<unknown>): Promise<{ answer: unknown } | undefined> {
    if (this.#cooldown && performance.now() < this.#cooldown.until) return undefined;
    let timer: NodeJS.Timeout | undefined;
    const asked = (async () => ({ answer: await call() }))().catch(() => undefined);
    const late = new Promise<'late'>((resolve) => (timer = setTimeout(() => resolve('late'), this.#cacheTimeoutMs)));
    const answer = await Promise.race([asked, late]);
    clearTimeout(timer);
    if (answer !== 'late') return answer;
    // Nothing more is asked until this is answered: it would only wait in the same queue.
    const resting = { until: performance.now() + CACHE_COOLDOWN_MS };
    this.#cooldown = resting;
    void asked.then(() => {
      if (this.#cooldown === resting) this.#cooldown = undefined;
    });
    return undefined;
  }
}

/** The storage itself, where `storage` may give copies of what it has read before. */
export function unwrapCache(storage: StateStorage): Pick<StateStorage, 'read' | 'location'> {
  const cached = storage as StateStorage & Partial<Pick<CachedStateStorage, 'readFresh'>>;
  return cached.readFresh ? { location: cached.location, read: () => cached.readFresh!() } : storage;
}

/** `undefined` for what is not a state: a storage that an application wrote itself may give anything. */
function getStateId(content: VersionedState | null): StateId | undefined {
  if (content === null) return null;
  const { lineage, revision } = (content.state ?? {}) as Partial<MaintenanceState>;
  if (typeof lineage !== 'string' || typeof revision !== 'number') return undefined;
  return { lineage, revision, version: content.version };
}

function isSame(mark: StateId, other: StateId | undefined): boolean {
  if (!mark || !other) return mark === other;
  return mark.lineage === other.lineage && mark.revision === other.revision && mark.version === other.version;
}

function isLater(mark: StateId, other: StateId | undefined): boolean {
  return !!mark && !!other && mark.lineage === other.lineage && mark.revision > other.revision;
}

/** `undefined` for a miss, for junk, and for the entry of another storage under the same key. */
function parseEntry(text: unknown, location: string): Entry | undefined {
  if (typeof text !== 'string') return undefined;
  try {
    const entry = JSON.parse(text) as { location?: unknown; version?: unknown; state?: unknown } | null;
    if (entry?.location !== location) return undefined;
    if (entry.version === null) return { content: null, stateId: null };
    if (typeof entry.version !== 'string') return undefined;
    const content = { state: parseState(JSON.stringify(entry.state)), version: entry.version };
    return { content, stateId: getStateId(content) ?? null };
  } catch {
    return undefined;
  }
}
