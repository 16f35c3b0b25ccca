import { createHash } from 'node:crypto';
import { REPORT_TTL_MS, type InstanceReport } from '../../core/instance-report.js';
import type { MaintenanceState } from '../../core/maintenance-state.js';
import { MaintenanceStorageError } from '../../errors/maintenance-storage.error.js';
import { formatReport, MAX_REPORT_BYTES, parseReport } from '../report-codec.js';
import { parseStateAtUrl, serializeStoredState } from '../state-codec.js';
import { MAX_STATE_BYTES, type StateStorage, type VersionedState } from '../state-storage.js';
import { createConflictError, createOversizedContentError, describeConflict } from '../storage-errors.js';
import { resolveUncertainWrite } from '../uncertain-write.js';
import { createIoredisSource } from './ioredis-client.js';
import { createNodeRedisSource, createUrlSource } from './node-redis-client.js';
import { DEFAULT_REDIS_KEY, createRedisNames, parseRedisUrl, type RedisNames } from './redis-address.js';
import { encodeUrlPart } from '../url-parts.js';
import { isIoredis, isNodeRedis, type RedisClientLike, type RedisSource } from './redis-client.js';
import type { RedisConnection } from './redis-connection.js';
import { ClosedError, isReply, toRedisError, RedisFailure } from './redis-errors.js';
import { WRITE_REPORT_SCRIPT, READ_REPORTS_SCRIPT, WRITE_SCRIPT } from './redis-scripts.js';
import { RedisSubscription } from './redis-subscription.js';

/** Settings of a {@link RedisStateStorage}. Either `url` or `client` is required. */
export interface RedisStateStorageOptions {
  /** `redis://user:password@host:port/database?key=`, or `rediss:` for TLS. */
  url?: string;
  /**
   * A client of the `redis` or the `ioredis` package: single server, cluster or Sentinel. The application connects and
   * closes it. One of `ioredis` gives its settings only: the storage opens connections of its own with them.
   */
  client?: RedisClientLike;
  /**
   * The key of the state. With `ioredis`, its `keyPrefix` comes before it.
   *
   * @defaultValue the key in the URL, or `'maintenance_state'`
   */
  key?: string;
  /**
   * The timeout of one call, connecting included, in milliseconds.
   *
   * @defaultValue 3000
   */
  timeout?: number;
  /**
   * How long the report of an instance counts, in milliseconds.
   *
   * @defaultValue 100000
   */
  reportTtl?: number;
}

/**
 * Stores the state in one key of a Redis server, a cluster or a compatible server, for any number of machines. Requires
 * the package `redis` or `ioredis`. Changes are published, so that all instances apply them immediately.
 *
 * A key that existed and is missing may have been lost in a restart without persistence, a failover or an eviction. The
 * read then fails with the code `lost`, and `onStorageFailure` decides until the state is written again.
 *
 * @example
 * ```ts
 * MaintenanceModule.forRoot({ storage: new RedisStateStorage({ url: 'redis://cache.internal:6379/0' }) });
 * ```
 *
 * @example
 * ```ts
 * const client = await createCluster({ rootNodes: [{ url: 'redis://10.0.0.1:6379' }] }).connect();
 * const storage = new RedisStateStorage({ client, key: '{shop}:maintenance' });
 * ```
 *
 * @example
 * ```ts
 * const connection = new Redis({ host: 'cache.internal', maxRetriesPerRequest: null }); // of ioredis, as for BullMQ
 * const storage = new RedisStateStorage({ client: connection });
 * ```
 */
export class RedisStateStorage implements StateStorage {
  /** Always `'redis'`. */
  readonly kind = 'redis';
  /** Always `true`: Redis may lose the state in a restart, a failover or an eviction. */
  readonly isVolatile = true;
  /** `redis://host:port/database?key=`, without credentials; `redis-sentinel:` for Sentinel. */
  readonly location: string;
  private readonly names: RedisNames;
  private readonly connection: RedisConnection;
  private readonly source: RedisSource;
  private readonly timeout: number;
  private readonly reportTtl: number;
  private readonly watchers = new Set<() => void>();
  private subscription: RedisSubscription | undefined;
  // A user of Redis may be permitted GET only.
  private canReadRange = true;
  private isKnown = false;
  private isClosed = false;

  /**
   * @param options - a `url` or a `client`, and settings
   * @throws TypeError if the URL or the key is invalid
   */
  constructor({ url, client, key, timeout = 3_000, reportTtl = REPORT_TTL_MS }: RedisStateStorageOptions) {
    this.timeout = timeout;
    this.reportTtl = reportTtl;
    const address = client || url === undefined ? undefined : parseRedisUrl(url);
    this.source = address ? createUrlSource(address) : createClientSource(client);
    const { address: server, keyPrefix } = this.source;
    this.names = createRedisNames(keyPrefix + (key ?? address?.key ?? DEFAULT_REDIS_KEY));
    this.location = `${server}${server.includes('?') ? '&' : '?'}key=${encodeUrlPart(this.names.state)}`;
    this.connection = this.source.createConnection(timeout);
  }

  /**
   * Reads the state, as JSON or just `1` or `0`. Content of more than 1 MiB is not fetched, and is corrupt.
   *
   * @returns `null` if the key does not exist and never did
   * @throws {@link MaintenanceStorageError} `lost`, `corrupt`, `denied` or `unavailable`
   */
  async read(): Promise<VersionedState | null> {
    const content = await this.readContent().catch((error: unknown) => {
      throw this.toError(error, 'read');
    });
    if (content !== null) {
      this.isKnown = true;
      return this.parse(content);
    }
    if (this.isKnown) throw this.createLostError();
    return null;
  }

  /**
   * Writes the state if the key still has the version `ifVersion`, and publishes the change.
   *
   * @returns the new version
   * @throws {@link MaintenanceStorageError} `conflict`, `denied` or `unavailable`
   */
  async write(next: MaintenanceState, ifVersion: string | null): Promise<string> {
    const text = serializeStoredState(next, this.location).toString('utf8');
    const version = hashContent(text);
    const { state, channel } = this.names;
    try {
      const args = ['EVAL', WRITE_SCRIPT, '1', state, ifVersion ?? '', text, channel, version, String(MAX_STATE_BYTES)];
      const outcome = Number(await this.connection.run(state, args));
      if (outcome !== 1) throw createConflictError(this.location, describeConflict(outcome === -1));
    } catch (error) {
      if (!isUncertain(error)) throw this.toError(error, 'written');
      const failure = this.toError(error, 'written');
      await resolveUncertainWrite({ next, ifVersion, version, location: this.location, failure }, async () => {
        const content = await this.readContent();
        return content && this.parse(content);
      });
    }
    this.isKnown = true;
    return version;
  }

  /**
   * Calls back when a change is published, and after each reconnect of the subscribed connection.
   *
   * @returns a function that ends the watch
   */
  async watch(changed: () => void): Promise<() => Promise<void>> {
    if (this.isClosed) throw this.toError(new ClosedError(), 'watched');
    // One function for each watch: the same callback may be passed twice.
    const watcher = (): void => changed();
    this.watchers.add(watcher);
    const notify = (): void => this.watchers.forEach((callback) => callback());
    this.subscription ??= new RedisSubscription(
      () => this.source.createListener(this.timeout),
      this.names.channel,
      notify,
      this.timeout,
    );
    await this.subscription.ready;
    return async () => {
      this.watchers.delete(watcher);
      if (this.watchers.size === 0) this.unsubscribe();
    };
  }

  /**
   * Stores the report of an instance, and removes expired reports.
   *
   * @throws {@link MaintenanceStorageError} `denied` or `unavailable`
   */
  async report(report: InstanceReport): Promise<void> {
    const { reports, expiries } = this.names;
    const args = [report.id, formatReport(report), String(this.reportTtl)];
    await this.run('written', ['EVAL', WRITE_REPORT_SCRIPT, '2', reports, expiries, ...args]);
  }

  /**
   * Returns the reports that have not expired. Broken ones are ignored.
   *
   * @throws {@link MaintenanceStorageError} `denied` or `unavailable`
   */
  async reports(): Promise<InstanceReport[]> {
    const { reports, expiries } = this.names;
    const args = ['EVAL', READ_REPORTS_SCRIPT, '2', reports, expiries, String(MAX_REPORT_BYTES)];
    const stored = (await this.run('read', args)) as Buffer[];
    return stored.flatMap((report) => parseReport(report.toString('utf8')) ?? []);
  }

  /** Closes the connections that this storage has opened, not the client of the application. */
  async close(): Promise<void> {
    this.isClosed = true;
    this.watchers.clear();
    this.unsubscribe();
    this.connection.close();
  }

  private unsubscribe(): void {
    this.subscription?.close();
    this.subscription = undefined;
  }

  private async run(purpose: string, args: string[]): Promise<unknown> {
    try {
      return await this.connection.run(this.names.state, args);
    } catch (error) {
      throw this.toError(error, purpose);
    }
  }

  /** Reads the key; only the beginning of content that is too large to be a state. */
  private async readContent(): Promise<Buffer | null> {
    const { state } = this.names;
    const run = async (...args: string[]): Promise<Buffer | null> =>
      (await this.connection.run(state, args)) as Buffer | null;
    if (this.canReadRange) {
      try {
        const beginning = await run('GETRANGE', state, '0', String(MAX_STATE_BYTES));
        // GETRANGE returns an empty string for a missing key as well.
        if (beginning && beginning.length > 0) return beginning;
      } catch (error) {
        if (!isNotPermitted(error)) throw error;
        this.canReadRange = false;
      }
    }
    return run('GET', state);
  }

  private parse(content: Buffer): VersionedState {
    if (content.length <= MAX_STATE_BYTES) {
      return parseStateAtUrl(content.toString('utf8'), hashContent(content), this.location);
    }
    const version = `large-${hashContent(content.subarray(0, MAX_STATE_BYTES + 1))}`;
    throw createOversizedContentError(version, this.location);
  }

  private toError(error: unknown, purpose: string): MaintenanceStorageError {
    return error instanceof MaintenanceStorageError
      ? error
      : toRedisError(error, { location: this.location, hasClient: this.source.hasClient }, purpose);
  }

  private createLostError(): MaintenanceStorageError {
    return new MaintenanceStorageError(
      'lost',
      `${this.location} is gone, although it existed: it was deleted, or lost in a restart without persistence, a ` +
        'failover or an eviction. `on` or `off` writes it again.',
    );
  }
}

function createClientSource(client: RedisClientLike | undefined): RedisSource {
  if (client === undefined) throw new TypeError('RedisStateStorage requires the option `url` or `client`');
  if (isIoredis(client)) return createIoredisSource(client);
  if (isNodeRedis(client)) return createNodeRedisSource(client);
  throw new TypeError('RedisStateStorage requires a client of the package `redis` or `ioredis` as `client`');
}

// SHA-1, because the script compares it with the result of redis.sha1hex.
function hashContent(content: Buffer | string): string {
  return createHash('sha1').update(content).digest('hex');
}

function isNotPermitted(error: unknown): boolean {
  return (
    error instanceof RedisFailure &&
    /\bNOPERM\b|unknown command/.test((error.cause as Error | undefined)?.message ?? '')
  );
}

function isUncertain(error: unknown): boolean {
  return error instanceof RedisFailure && error.mayHaveRun && !isReply(error.cause);
}
