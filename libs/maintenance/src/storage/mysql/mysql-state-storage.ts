import { createHash } from 'node:crypto';
import { REPORT_TTL_MS, type InstanceReport } from '../../core/instance-report.js';
import type { MaintenanceState } from '../../core/maintenance-state.js';
import { MaintenanceStorageError } from '../../errors/maintenance-storage.error.js';
import { createReportName, formatReport, parseReport } from '../report-codec.js';
import { parseStateAtUrl, serializeStoredState } from '../state-codec.js';
import type { StateStorage, VersionedState } from '../state-storage.js';
import { createConflictError, createOversizedContentError, describeConflict } from '../storage-errors.js';
import { DEFAULT_SQL_KEY, DEFAULT_SQL_TABLE, type SqlTable } from '../sql-table.js';
import { resolveUncertainWrite } from '../uncertain-write.js';
import { assertMysqlKey, formatMysqlLocation, parseMysqlTable, parseMysqlUrl } from './mysql-address.js';
import { getPoolServer, openConnection, resolveTls, type MysqlPoolLike, type MysqlTlsOptions } from './mysql-client.js';
import { ManagedConnection, PoolConnection, type MysqlConnection } from './mysql-connection.js';
import { createMissingTableError, MysqlFailure, NO_DATABASE_CODES, toMysqlError } from './mysql-errors.js';
import { MysqlStatements, type StateRow } from './mysql-statements.js';

/** Settings of a {@link MysqlStateStorage}. Either `url` or `pool` is required. */
export interface MysqlStateStorageOptions {
  /** `mysql://user:password@host:port/database?table=&key=&ssl-mode=`. */
  url?: string;
  /** A pool of `mysql2` or `mysql2/promise`. The application closes it. */
  pool?: MysqlPoolLike;
  /**
   * The password, or a function that is called for each new connection, for tokens that expire.
   *
   * @defaultValue the password in the URL, or `MYSQL_PWD`
   */
  password?: string | (() => string | Promise<string>);
  /**
   * The settings of TLS, as `mysql2` takes them.
   *
   * @defaultValue what `ssl-mode` in the URL says; no TLS without it
   */
  ssl?: MysqlTlsOptions;
  /**
   * The name of the table, alone or after its database.
   *
   * @defaultValue the table in the URL, or `'maintenance_state'`
   */
  table?: string;
  /**
   * Tells applications apart that share the table. Each key is a switch of its own.
   *
   * @defaultValue the key in the URL, or `'default'`
   */
  key?: string;
  /**
   * The timeout of one statement, connecting included, in milliseconds.
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

/** A failed statement is repeated so many times if another session was chosen to win over it. */
const MAX_DEADLOCK_RETRIES = 5;

/**
 * Stores the state in one row of a table of MySQL or MariaDB. Requires the package `mysql2`. Changes are not published:
 * the instances read the row every `refreshInterval`.
 *
 * The first write creates the table. A row that was deleted means that maintenance is off. A table that is gone was
 * dropped or is being restored: the read then fails with the code `lost`, and `onStorageFailure` decides until the
 * state is written again.
 *
 * @example
 * ```ts
 * MaintenanceModule.forRoot({ storage: new MysqlStateStorage({ url: 'mysql://shop@db.internal/ops?key=shop' }) });
 * ```
 *
 * @example
 * ```ts
 * const storage = new MysqlStateStorage({ pool: createPool(process.env.OPS_DATABASE_URL), key: 'shop' });
 * ```
 */
export class MysqlStateStorage implements StateStorage {
  /** Always `'mysql'`. */
  readonly kind = 'mysql';
  /** `mysql://host:port/database?table=&key=`, without credentials. */
  readonly location: string;
  private readonly table: SqlTable;
  private readonly hasPool: boolean;
  private readonly statements: MysqlStatements;
  private readonly connection: MysqlConnection;
  private readonly reportTtl: number;
  private nextSweepAt = 0;
  private isKnown = false;

  /**
   * @param options - a `url` or a `pool`, and settings
   * @throws TypeError if the URL, the table or the key is invalid
   */
  constructor(options: MysqlStateStorageOptions) {
    const { url, pool, password, ssl, timeout = 3_000, reportTtl = REPORT_TTL_MS } = options;
    this.reportTtl = reportTtl;
    this.hasPool = pool !== undefined;
    const address = pool || url === undefined ? undefined : parseMysqlUrl(url);
    this.table = parseMysqlTable(options.table ?? address?.table ?? DEFAULT_SQL_TABLE);
    const key = assertMysqlKey(options.key ?? address?.key ?? DEFAULT_SQL_KEY);
    this.statements = new MysqlStatements(this.table, key);
    if (pool) {
      this.location = formatMysqlLocation(getPoolServer(pool), this.table, key);
      this.connection = new PoolConnection(pool, timeout);
    } else if (address) {
      this.location = formatMysqlLocation(address, this.table, key);
      const credentials = { password, ssl: resolveTls(address, ssl) };
      this.connection = new ManagedConnection(() => openConnection(address, credentials, timeout), timeout);
    } else throw new TypeError('MysqlStateStorage requires the option `url` or `pool`');
  }

  /**
   * Reads the state, as JSON or just `1` or `0`. Content of more than 1 MiB is not fetched, and is corrupt.
   *
   * @returns `null` if the row does not exist
   * @throws {@link MaintenanceStorageError} `lost`, `corrupt`, `denied` or `unavailable`
   */
  async read(): Promise<VersionedState | null> {
    const rows = await this.run(this.statements.read()).catch((error: unknown) => {
      if (!isMissing(error)) throw this.toError(error, 'read');
      if (this.isKnown) throw this.createLostError();
      if (isMissingTable(error)) return [];
      throw this.toError(error, 'read');
    });
    return this.parse(rows as (StateRow & { autocommit: number })[]);
  }

  /**
   * Writes the state if the row still has the version `ifVersion`.
   *
   * @returns the new version
   * @throws {@link MaintenanceStorageError} `conflict`, `denied` or `unavailable`
   */
  async write(next: MaintenanceState, ifVersion: string | null): Promise<string> {
    const text = serializeStoredState(next, this.location).toString('utf8');
    const version = createHash('sha256').update(text).digest('hex');
    await this.runAndCreateTable(this.statements.mark()).catch((error: unknown) => {
      throw this.toError(error, 'written');
    });
    try {
      if (!(await this.replace(text, ifVersion))) {
        const rows = (await this.run(this.statements.read())) as StateRow[];
        const isGone = rows.every((row) => row.version === '');
        throw createConflictError(this.location, describeConflict(isGone));
      }
    } catch (error) {
      const failure = this.toError(error, 'written');
      if (!(error instanceof MysqlFailure) || !error.isUncertain) throw failure;
      const { location } = this;
      await resolveUncertainWrite({ next, ifVersion, version, location, failure }, () => this.read());
    }
    this.isKnown = true;
    return version;
  }

  /**
   * Stores the report of an instance, and now and then removes expired reports.
   *
   * @throws {@link MaintenanceStorageError} `denied` or `unavailable`
   */
  async report(report: InstanceReport): Promise<void> {
    const sql = this.statements.report(createReportName(report.id), formatReport(report), this.reportTtl);
    // A table that was there is not created again: other instances would find it empty, which means off.
    const stored = this.isKnown ? this.run(sql) : this.runAndCreateTable(sql);
    await stored.catch((error: unknown) => {
      throw this.toError(error, 'written');
    });
    await this.sweep();
  }

  /**
   * Returns the reports that have not expired. Broken ones are ignored.
   *
   * @throws {@link MaintenanceStorageError} `denied` or `unavailable`
   */
  async reports(): Promise<InstanceReport[]> {
    const rows = await this.run(this.statements.reports()).catch((error: unknown) => {
      if (isMissingTable(error)) return [];
      throw this.toError(error, 'read');
    });
    return (rows as { content: Buffer }[]).flatMap(({ content }) => parseReport(content.toString('utf8')) ?? []);
  }

  /** Closes the connection that this storage has opened, not the pool of the application. */
  async close(): Promise<void> {
    this.connection.close();
  }

  /** Returns whether the state had the expected version, and is written. */
  private async replace(text: string, ifVersion: string | null): Promise<boolean> {
    if (ifVersion === null) {
      return this.run(this.statements.insert(text)).then(
        () => true,
        (error: unknown) => {
          if (error instanceof MysqlFailure && error.code === 'ER_DUP_ENTRY') return false;
          throw error;
        },
      );
    }
    if (!/^[\da-f]{64}$/.test(ifVersion)) return false;
    const result = (await this.run(this.statements.update(text, ifVersion))) as { affectedRows: number };
    return result.affectedRows > 0;
  }

  private parse(rows: (StateRow & { autocommit: number })[]): VersionedState | null {
    if (rows.some(({ autocommit }) => Number(autocommit) === 0)) {
      const reason = 'the connections of the pool do not commit by themselves. SET autocommit = 1 for them.';
      throw new MaintenanceStorageError('unavailable', `${this.location} can't be read: ${reason}`);
    }
    const row = rows.find(({ version }) => version !== '');
    if (!row) {
      // The mark is deleted only together with everything else.
      if (rows.length === 0 && this.isKnown) throw this.createLostError();
      return null;
    }
    this.isKnown = true;
    if (row.content === null) throw createOversizedContentError(row.version, this.location);
    return parseStateAtUrl(row.content.toString('utf8'), row.version, this.location);
  }

  private async run(sql: string): Promise<unknown> {
    for (let attempt = 1; ; attempt++) {
      try {
        return await this.connection.run(sql);
      } catch (error) {
        const isDeadlock = error instanceof MysqlFailure && error.code === 'ER_LOCK_DEADLOCK';
        if (!isDeadlock || attempt > MAX_DEADLOCK_RETRIES) throw error;
      }
    }
  }

  /** Runs a statement that writes, and creates the table where it is missing. */
  private async runAndCreateTable(sql: string): Promise<void> {
    try {
      await this.run(sql);
    } catch (error) {
      if (!isMissingTable(error)) throw error;
      await this.run(this.statements.createTable()).catch((reason: unknown) => {
        const isDenied = reason instanceof MysqlFailure && /DENIED/.test(reason.code ?? '');
        throw isDenied ? createMissingTableError(this.describe(), reason) : reason;
      });
      await this.run(sql);
    }
  }

  /** Once within the time to live of a report is enough: readers ignore expired ones. */
  private async sweep(): Promise<void> {
    if (performance.now() < this.nextSweepAt) return;
    this.nextSweepAt = performance.now() + this.reportTtl;
    // The user may lack the permission.
    await this.run(this.statements.sweep()).catch(() => undefined);
  }

  private describe(): { location: string; table: string; hasPool: boolean } {
    return { location: this.location, table: this.table.name, hasPool: this.hasPool };
  }

  private toError(error: unknown, purpose: string): MaintenanceStorageError {
    return toMysqlError(error, this.describe(), purpose);
  }

  private createLostError(): MaintenanceStorageError {
    return new MaintenanceStorageError(
      'lost',
      `${this.location} is gone, although it existed: its table was dropped or emptied. ` +
        '`on` or `off` writes it again.',
    );
  }
}

function isMissingTable(error: unknown): boolean {
  return error instanceof MysqlFailure && error.code === 'ER_NO_SUCH_TABLE';
}

/** Whether the table or its database does not exist. */
function isMissing(error: unknown): boolean {
  return isMissingTable(error) || (error instanceof MysqlFailure && NO_DATABASE_CODES.has(error.code ?? ''));
}
