import { REPORT_TTL_MS } from '../../core/instance-report.js';
import { DEFAULT_SQL_KEY, DEFAULT_SQL_TABLE, type SqlTable } from '../sql-table.js';
import {
  assertPostgresKey,
  formatPostgresLocation,
  parsePostgresTable,
  parsePostgresUrl,
  type PostgresServer,
} from './postgres-address.js';
import { createClientSettings, type PostgresCredentials, type PostgresPoolLike } from './postgres-client.js';

/** Settings of a `PostgresStateStorage`. Either `url` or `pool` is required. */
export interface PostgresStateStorageOptions extends PostgresCredentials {
  /** `postgres://user:password@host:port/database?table=&key=`, with the parameters that `pg` takes. */
  url?: string;
  /** A `Pool` of the package `pg`. The application closes it. */
  pool?: PostgresPoolLike;
  /** The password for `url`, or a function that returns one for each connection, such as a token of AWS IAM. */
  password?: string | (() => string | Promise<string>);
  /** The TLS options for `url`, as `pg` takes them. */
  ssl?: PostgresCredentials['ssl'];
  /**
   * The table, alone or after its schema.
   *
   * @defaultValue the table in the URL, or `'maintenance_state'`
   */
  table?: string;
  /**
   * The key of the state in the table: one for each application.
   *
   * @defaultValue the key in the URL, or `'default'`
   */
  key?: string;
  /**
   * Whether to listen to notifications. By default the storage listens unless the connection leads through a pooler;
   * `true` listens there too, which works where the pooler is in session mode.
   *
   * @defaultValue `listen` in the URL, or `'auto'`
   */
  listen?: boolean | 'auto';
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

/** The options of a {@link PostgresStateStorage} with all defaults. */
export interface ResolvedPostgresOptions {
  /** The pool of the application; missing if the storage opens its own. */
  pool?: PostgresPoolLike;
  /** The settings of `pg` for connections of the storage's own; missing if a pool has none. */
  settings?: object;
  table: SqlTable;
  key: string;
  listen: boolean | 'auto';
  timeout: number;
  reportTtl: number;
  location: string;
}

/**
 * Resolves the options.
 *
 * @throws TypeError if the URL, the table or the key is invalid
 */
export function resolvePostgresOptions(options: PostgresStateStorageOptions): ResolvedPostgresOptions {
  const { url, pool, password, ssl, timeout = 3_000, reportTtl = REPORT_TTL_MS } = options;
  if (!pool && url === undefined) throw new TypeError('PostgresStateStorage requires the option `url` or `pool`');
  const address = pool || url === undefined ? undefined : parsePostgresUrl(url);
  if (address?.hasTls && password !== undefined && ssl === undefined) {
    throw new TypeError('Together with the option `password`, TLS is set by the option `ssl`, not in the URL');
  }
  const table = parsePostgresTable(options.table ?? address?.table ?? DEFAULT_SQL_TABLE);
  const key = assertPostgresKey(options.key ?? address?.key ?? DEFAULT_SQL_KEY);
  return {
    pool,
    settings: address ? createClientSettings(address, { password, ssl }, timeout) : pool?.options,
    table,
    key,
    listen: options.listen ?? address?.listen ?? 'auto',
    timeout,
    reportTtl,
    location: formatPostgresLocation(address ?? findServer(pool!), table, key),
  };
}

/** Returns where a pool of the application connects to. */
function findServer({ options = {} }: PostgresPoolLike): PostgresServer {
  const { connectionString, host, port, database } = options as PostgresServer & { connectionString?: string };
  if (connectionString === undefined) return { host, port: port === undefined ? undefined : Number(port), database };
  try {
    const { pathname, hostname, port: urlPort, searchParams } = new URL(connectionString);
    return {
      host: (searchParams.get('host') ?? decodeURIComponent(hostname.replace(/^\[|\]$/g, ''))) || undefined,
      port: urlPort === '' ? undefined : Number(urlPort),
      database: decodeURIComponent(pathname.slice(1)) || undefined,
    };
  } catch {
    return {};
  }
}
