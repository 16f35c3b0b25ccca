import { createHash } from 'node:crypto';
import type { InstanceReport } from '../../core/instance-report.js';
import type { MaintenanceState } from '../../core/maintenance-state.js';
import { MaintenanceStorageError } from '../../errors/maintenance-storage.error.js';
import { createReportName, formatReport, parseReport } from '../report-codec.js';
import { parseStateAtUrl, serializeStoredState } from '../state-codec.js';
import type { StateStorage, VersionedState } from '../state-storage.js';
import { createConflictError, createOversizedContentError, describeConflict } from '../storage-errors.js';
import { resolveUncertainWrite } from '../uncertain-write.js';
import type { SqlTable } from '../sql-table.js';
import { createChannelName } from './postgres-address.js';
import { createListener, createOwnPool } from './postgres-client.js';
import { PostgresConnection } from './postgres-connection.js';
import {
  ClosedError,
  isSerializationConflict,
  isTableMissing,
  PostgresFailure,
  toPostgresError,
} from './postgres-errors.js';
import { resolvePostgresOptions, type PostgresStateStorageOptions } from './postgres-options.js';
import { PostgresStatements, type StateRow, type WriteRow } from './postgres-statements.js';
import { PostgresSubscription } from './postgres-subscription.js';

/**
 * Stores the state in a row of a Postgres table, for any number of machines. Requires the package `pg`. Changes are
 * published with `NOTIFY`, so that all instances apply them immediately.
 *
 * The first write creates the table, if the user may. A row that was deleted was removed on purpose: off. If the table
 * was dropped, created again or truncated, the state is lost: `onStorageFailure` decides until it is written again.
 *
 * @example
 * ```ts
 * MaintenanceModule.forRoot({ storage: new PostgresStateStorage({ url: 'postgres://shop@db.internal/shop?key=shop' }) });
 * ```
 *
 * @example
 * ```ts
 * const pool = new Pool({ connectionString: process.env.DATABASE_URL });
 * const storage = new PostgresStateStorage({ pool, table: 'ops.maintenance_state', key: 'shop' });
 * ```
 */
export class PostgresStateStorage implements StateStorage {
  /** Always `'postgres'`. */
  readonly kind = 'postgres';
  /** Always `true`: the table may be dropped, or restored from a backup, while it is worked on. */
  readonly isVolatile = true;
  /** `postgres://host:port/database?table=&key=`, without credentials. */
  readonly location: string;
  readonly #table: SqlTable;
  readonly #channel: string;
  readonly #statements: PostgresStatements;
  readonly #connection: PostgresConnection;
  readonly #listenerSettings: object | undefined;
  readonly #listen: boolean | 'auto';
  readonly #timeout: number;
  readonly #reportTtl: number;
  readonly #watchers = new Set<() => void>();
  #subscription: PostgresSubscription | undefined;
  /** Whether the table has been found: a report does not create it again. */
  #hasFoundTable = false;
  /** The file of the table in which the state was found; `null` if it has none, as a view. */
  #knownFile: string | null | undefined;
  #nextSweep = 0;
  #isClosed = false;

  /**
   * @param options - a `url` or a `pool`, and settings
   * @throws TypeError if the URL, the table or the key is invalid
   */
  constructor(options: PostgresStateStorageOptions) {
    const { pool, settings, table, key, listen, timeout, reportTtl, location } = resolvePostgresOptions(options);
    this.location = location;
    this.#table = table;
    this.#channel = createChannelName(table, key);
    this.#listen = listen;
    this.#listenerSettings = settings;
    this.#timeout = timeout;
    this.#reportTtl = reportTtl;
    this.#statements = new PostgresStatements(table, key, this.#channel, timeout);
    this.#connection = new PostgresConnection(async () => {
      if (pool) return { pool };
      const own = await createOwnPool(settings!);
      return { pool: own, end: () => own.end() };
    }, timeout);
  }

  /**
   * Reads the state, as JSON or just `1` or `0`. Content of more than 1 MiB is not fetched, and is corrupt.
   *
   * @returns `null` if the table or the row does not exist
   * @throws {@link MaintenanceStorageError} `lost`, `corrupt`, `denied` or `unavailable`
   */
  async read(): Promise<VersionedState | null> {
    try {
      const [row] = await this.#connection.run<StateRow>(this.#statements.read());
      this.#hasFoundTable = true;
      return this.#parse(row!);
    } catch (error) {
      if (!isTableMissing(error)) throw this.#toError(error, 'read');
      if (this.#knownFile !== undefined) throw this.#createLostError('the table does not exist any more');
      return null;
    }
  }

  /**
   * Writes the state if the row still has the version `ifVersion`, and publishes the change. Creates the table if it
   * does not exist.
   *
   * @returns the new version
   * @throws {@link MaintenanceStorageError} `conflict`, `denied` or `unavailable`
   */
  async write(next: MaintenanceState, ifVersion: string | null): Promise<string> {
    const text = serializeStoredState(next, this.location).toString('utf8');
    const version = createHash('sha256').update(text).digest('hex');
    const sql = this.#statements.write(text, version, ifVersion);
    try {
      const [outcome] = await this.#runAndCreateTable<WriteRow>(sql);
      if (!outcome?.written) throw createConflictError(this.location, describeConflict(!outcome?.found));
    } catch (error) {
      if (isSerializationConflict(error)) throw createConflictError(this.location, describeConflict(false), error);
      const failure = this.#toError(error, 'written');
      if (!(error instanceof PostgresFailure && error.isUncertain)) throw failure;
      const write = { next, ifVersion, version, location: this.location, failure };
      await resolveUncertainWrite(write, () => this.read());
    }
    return version;
  }

  /**
   * Calls back when a change is published, and after each reconnect of the listening connection. Does not call back
   * through a pooler such as PgBouncer in transaction mode, which loses notifications.
   *
   * @returns a function that ends the watch
   */
  async watch(changed: () => void): Promise<() => Promise<void>> {
    if (this.#isClosed) throw this.#toError(new ClosedError(), 'watched');
    const settings = this.#listenerSettings;
    if (this.#listen === false || !settings) return async () => undefined;
    // One function for each watch: the same callback may be passed twice.
    const watcher = (): void => changed();
    this.#watchers.add(watcher);
    this.#subscription ??= new PostgresSubscription({
      createClient: () => createListener(settings, this.#timeout),
      channel: this.#channel,
      isForced: this.#listen === true,
      onChange: () => this.#watchers.forEach((callback) => callback()),
      onPooler: () => this.#warnOfPooler(),
      readyTimeoutMs: this.#timeout,
    });
    await this.#subscription.ready;
    return async () => {
      this.#watchers.delete(watcher);
      if (this.#watchers.size === 0) this.#unsubscribe();
    };
  }

  /**
   * Stores the report of an instance. Removes expired reports from time to time.
   *
   * @throws {@link MaintenanceStorageError} `denied` or `unavailable`
   */
  async report(report: InstanceReport): Promise<void> {
    const sql = this.#statements.report(createReportName(report.id), formatReport(report), this.#reportTtl);
    try {
      // A table that is gone was dropped: a report must not get in the way of a restore.
      if (this.#hasFoundTable) await this.#connection.run(sql);
      else await this.#runAndCreateTable(sql);
      this.#hasFoundTable = true;
    } catch (error) {
      throw this.#toError(error, 'written');
    }
    if (performance.now() < this.#nextSweep) return;
    this.#nextSweep = performance.now() + this.#reportTtl;
    // Expired reports are ignored anyway, and the permission to delete may be missing.
    await this.#connection.run(this.#statements.sweep()).catch(() => undefined);
  }

  /**
   * Returns the reports that have not expired, by the clock of the server. Broken ones are ignored.
   *
   * @throws {@link MaintenanceStorageError} `denied` or `unavailable`
   */
  async reports(): Promise<InstanceReport[]> {
    try {
      const rows = await this.#connection.run<{ content: string }>(this.#statements.reports());
      return rows.flatMap(({ content }) => parseReport(content) ?? []);
    } catch (error) {
      if (isTableMissing(error)) return [];
      throw this.#toError(error, 'read');
    }
  }

  /** Closes the connections that this storage has opened, not the pool of the application. */
  async close(): Promise<void> {
    this.#isClosed = true;
    this.#watchers.clear();
    this.#unsubscribe();
    await this.#connection.close();
  }

  #unsubscribe(): void {
    this.#subscription?.close();
    this.#subscription = undefined;
  }

  async #runAndCreateTable<Row>(sql: string): Promise<Row[]> {
    try {
      return await this.#connection.run<Row>(sql);
    } catch (error) {
      if (!isTableMissing(error)) throw error;
    }
    await this.#createTable();
    return this.#connection.run<Row>(sql);
  }

  async #createTable(): Promise<void> {
    try {
      await this.#connection.run(this.#statements.createTable());
    } catch (error) {
      // Another process has created it at the same moment.
      if (error instanceof PostgresFailure && /^(?:23505|42P07|42710)$/.test(error.sqlState ?? '')) return;
      throw this.#toError(error, 'created');
    }
  }

  #parse({ table_file: file, version, content }: StateRow): VersionedState | null {
    if (version === null) {
      const isLost = this.#knownFile !== undefined && this.#knownFile !== file;
      if (isLost) throw this.#createLostError('the table was created again or truncated');
      this.#knownFile = undefined;
      return null;
    }
    this.#knownFile = file;
    if (content === null) throw createOversizedContentError(version, this.location);
    return parseStateAtUrl(content, version, this.location);
  }

  #toError(error: unknown, purpose: string): MaintenanceStorageError {
    if (error instanceof MaintenanceStorageError) return error;
    return toPostgresError(error, { location: this.location, table: this.#table.name, purpose });
  }

  #createLostError(reason: string): MaintenanceStorageError {
    return new MaintenanceStorageError(
      'lost',
      `${this.location} is gone, although it existed: ${reason}. \`on\` or \`off\` writes it again.`,
    );
  }

  #warnOfPooler(): void {
    process.emitWarning(
      `${this.location}: the connection leads through a pooler such as PgBouncer, which may lose notifications. ` +
        'Instances find changes by reading, every `refreshInterval`. Connect to the server itself for notifications; or ' +
        'set listen=true in the URL if the pooler is in session mode, or listen=false to read only.',
      'MaintenanceStorageWarning',
    );
  }
}
