import { createHash } from 'node:crypto';
import { REPORT_TTL_MS, type InstanceReport } from '../../core/instance-report.js';
import type { MaintenanceState } from '../../core/maintenance-state.js';
import { serializeState } from '../../core/state-format.js';
import { MAX_STATE_BYTES } from '../file/file-content.js';
import { MaintenanceStorageError } from '../../errors/maintenance-storage.error.js';
import {
  DEFAULT_REDIS_KEY,
  formatRedisLocation,
  createRedisNames,
  parseRedisUrl,
  formatKey,
  type RedisNames,
} from './redis-address.js';
import {
  describeClientAddress,
  createOwnClient,
  createListener,
  usesTls,
  type RedisClientLike,
} from './redis-client.js';
import { ExternalConnection, ManagedConnection, type RedisConnection } from './redis-connection.js';
import { ClosedError, isReply, toRedisError, RedisFailure } from './redis-errors.js';
import { WRITE_REPORT_SCRIPT, READ_REPORTS_SCRIPT, WRITE_SCRIPT } from './redis-scripts.js';
import { RedisSubscription } from './redis-subscription.js';
import { parseReport } from '../parse-report.js';
import type { StateStorage, VersionedState } from '../state-storage.js';
import { parseStateAtUrl, createTooLargeError } from '../parse-stored-state.js';

/** Settings of a {@link RedisStateStorage}: a `url` or a `client`. */
export interface RedisStateStorageOptions {
  /** `redis://user:password@host:port/database?key=`, or `rediss:` for TLS. */
  url?: string;
  /** A connected client of the `redis` package, single, cluster or sentinel. The application closes it. */
  client?: RedisClientLike;
  /** The key that holds the state. Default: the one in the URL, else `maintenance_state`. */
  key?: string;
  /** Milliseconds that one call may take, connecting included. Default: 3000. */
  timeout?: number;
  /** Milliseconds after which the report of an instance that wrote no other is forgotten. Default: 100000. */
  reportTtl?: number;
}

/**
 * Keeps the state in one key of a Redis server, cluster or look-alike, for any number of machines. Needs the package
 * `redis`. A change is published, so that every instance learns of it at once.
 *
 * A key that was known and is gone may have been lost in a restart without persistence, in a failover or by eviction:
 * that is told as `lost`, and `onStorageFailure` decides until somebody writes it anew.
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
 */
export class RedisStateStorage implements StateStorage {
  readonly kind = 'redis';
  readonly isVolatile = true;
  /** `redis://host:port/database?key=`, without credentials. */
  readonly location: string;
  private readonly names: RedisNames;
  private readonly connection: RedisConnection;
  private readonly createListener: () => Promise<RedisClientLike>;
  private readonly timeout: number;
  private readonly reportTtl: number;
  private readonly watchers = new Set<() => void>();
  private subscription: RedisSubscription | undefined;
  // A user of Redis may have the right to GET alone.
  private canReadRange = true;
  private isKnown = false;
  private isClosed = false;

  /** @throws TypeError for a URL or a key that can't be used */
  constructor({ url, client, key, timeout = 3_000, reportTtl = REPORT_TTL_MS }: RedisStateStorageOptions) {
    this.timeout = timeout;
    this.reportTtl = reportTtl;
    if (client) {
      this.names = createRedisNames(key ?? DEFAULT_REDIS_KEY);
      this.location = `redis${usesTls(client) ? 's' : ''}://${describeClientAddress(client)}?key=${formatKey(this.names.state)}`;
      this.connection = new ExternalConnection(client, timeout);
      this.createListener = async () => createListener(client, timeout);
    } else {
      if (url === undefined) throw new TypeError('RedisStateStorage needs a `url` or a `client`');
      const address = parseRedisUrl(url);
      this.names = createRedisNames(key ?? address.key ?? DEFAULT_REDIS_KEY);
      this.location = formatRedisLocation(address, this.names.state);
      this.connection = new ManagedConnection(address, timeout);
      this.createListener = () => createOwnClient(address, timeout, 'listening');
    }
  }

  /**
   * Reads the state, as JSON or just `1` or `0`.
   *
   * What is larger than a megabyte is not fetched, and corrupt.
   *
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
   * Writes the state if the key still holds `ifVersion`, and publishes the change.
   *
   * @throws {@link MaintenanceStorageError} `conflict`, `denied` or `unavailable`
   */
  async write(next: MaintenanceState, ifVersion: string | null): Promise<string> {
    const text = serializeState(next);
    const size = Buffer.byteLength(text);
    if (size > MAX_STATE_BYTES) throw this.createTooLargeError(size);
    const version = hashContent(text);
    const { state, channel } = this.names;
    try {
      const args = ['EVAL', WRITE_SCRIPT, '1', state, ifVersion ?? '', text, channel, version, String(MAX_STATE_BYTES)];
      const outcome = Number(await this.connection.run(state, args));
      if (outcome !== 1)
        throw this.createConflictError(outcome === -1 ? 'it is gone' : 'somebody else has written it meanwhile');
    } catch (error) {
      if (!isUncertain(error)) throw this.toError(error, 'written');
      await this.resolveUncertainWrite(next, ifVersion, version, error);
    }
    this.isKnown = true;
    return version;
  }

  /** Calls back when a change is published, and after each interruption of the connection that listens. */
  async watch(changed: () => void): Promise<() => Promise<void>> {
    if (this.isClosed) throw this.toError(new ClosedError(), 'watched');
    // A function of its own for each watch: the same callback may watch twice.
    const watcher = (): void => changed();
    this.watchers.add(watcher);
    const notify = (): void => this.watchers.forEach((callback) => callback());
    this.subscription ??= new RedisSubscription(this.createListener, this.names.channel, notify, this.timeout);
    await this.subscription.ready;
    return async () => {
      this.watchers.delete(watcher);
      if (this.watchers.size === 0) this.unsubscribe();
    };
  }

  /**
   * Keeps the record of an instance, and removes those of instances that have gone.
   *
   * @throws {@link MaintenanceStorageError} `denied` or `unavailable`
   */
  async report(report: InstanceReport): Promise<void> {
    const { reports, expiries } = this.names;
    const record = [report.id, JSON.stringify(report), String(this.reportTtl)];
    await this.run('written', ['EVAL', WRITE_REPORT_SCRIPT, '2', reports, expiries, ...record]);
  }

  /**
   * The records of the instances that reported within the time to live. Broken ones are left out.
   *
   * @throws {@link MaintenanceStorageError} `denied` or `unavailable`
   */
  async reports(): Promise<InstanceReport[]> {
    const { reports, expiries } = this.names;
    const records = (await this.run('read', [
      'EVAL',
      READ_REPORTS_SCRIPT,
      '2',
      reports,
      expiries,
      String(MAX_STATE_BYTES),
    ])) as Buffer[];
    return records.flatMap((record) => parseReport(record.toString('utf8')) ?? []);
  }

  /** Closes the connections that this storage has opened. The client of an application stays as it is. */
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

  /** After a write without an answer: returns if it was done, else throws what its caller has to know. */
  private async resolveUncertainWrite(
    next: MaintenanceState,
    ifVersion: string | null,
    version: string,
    cause: unknown,
  ): Promise<void> {
    const { message } = this.toError(cause, 'written');
    const uncertain = (what: string): MaintenanceStorageError =>
      new MaintenanceStorageError('unavailable', `${message} ${what} Look at the status before you try again.`, {
        cause,
      });
    let found: VersionedState | null;
    try {
      const content = await this.readContent();
      found = content && this.parse(content);
    } catch {
      throw uncertain('The write got no answer and may have taken effect.');
    }
    if (found?.version === version || (found && descendsFrom(found.state, next))) return;
    // Nobody wrote, so nobody came first. The command may still be on its way.
    if ((found?.version ?? null) === ifVersion)
      throw uncertain('Nothing was written by now; the write may take effect later.');
    throw this.createConflictError('somebody else has written it meanwhile');
  }

  /** What the key holds; of what is too large to be a state only the beginning. */
  private async readContent(): Promise<Buffer | null> {
    const { state } = this.names;
    const run = async (...args: string[]): Promise<Buffer | null> =>
      (await this.connection.run(state, args)) as Buffer | null;
    if (this.canReadRange) {
      try {
        const beginning = await run('GETRANGE', state, '0', String(MAX_STATE_BYTES));
        // Nothing there and nothing in it look alike to this command.
        if (beginning && beginning.length > 0) return beginning;
      } catch (error) {
        if (!isNotPermitted(error)) throw error;
        this.canReadRange = false;
      }
    }
    return run('GET', state);
  }

  private parse(content: Buffer): VersionedState {
    if (content.length <= MAX_STATE_BYTES)
      return parseStateAtUrl(content.toString('utf8'), hashContent(content), this.location);
    const version = `large-${hashContent(content.subarray(0, MAX_STATE_BYTES + 1))}`;
    throw createTooLargeError(MAX_STATE_BYTES, version, this.location);
  }

  private createTooLargeError(size: number): MaintenanceStorageError {
    const message =
      `${this.location} was not written: the state has ${size} bytes, and ${MAX_STATE_BYTES} are the most. ` +
      'End windows that are no longer needed.';
    return new MaintenanceStorageError('unavailable', message);
  }

  private toError(error: unknown, purpose: string): MaintenanceStorageError {
    return error instanceof MaintenanceStorageError ? error : toRedisError(error, this.location, purpose);
  }

  private createConflictError(reason: string): MaintenanceStorageError {
    const message = `${this.location} was not written: ${reason}. Read it again and decide anew.`;
    return new MaintenanceStorageError('conflict', message);
  }

  private createLostError(): MaintenanceStorageError {
    return new MaintenanceStorageError(
      'lost',
      `${this.location} is gone, and was there before: a restart without persistence, a failover, an eviction, or ` +
        'somebody removed it. `on` or `off` writes it anew.',
    );
  }
}

// As Redis's own sha1hex, which the script compares it with.
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

/** Whether a state was made from `next` by later writes: each leaves an entry in the history. */
function descendsFrom(state: MaintenanceState, next: MaintenanceState): boolean {
  const [entry] = next.history;
  if (!entry || state.lineage !== next.lineage || state.revision <= next.revision) return false;
  const text = JSON.stringify(entry);
  return state.history.some((other) => JSON.stringify(other) === text);
}
