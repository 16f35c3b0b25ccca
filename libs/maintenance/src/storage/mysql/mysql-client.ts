import { isIP } from 'node:net';
import type { ConnectionOptions as TlsOptions } from 'node:tls';
import type * as Mysql from 'mysql2/promise';
import type { MysqlPoolInternals } from '../../nest-internals.js';
import type { MysqlAddress, MysqlServer, MysqlTlsMode } from './mysql-address.js';

/** Settings of TLS, as `mysql2` takes them. */
export type MysqlTlsOptions = TlsOptions & { verifyIdentity?: boolean };

/**
 * The part of a pool of `mysql2` or `mysql2/promise` that the storage uses. Declared here, so that our types do not
 * depend on that package.
 */
export type MysqlPoolLike = MysqlPromisePoolLike | MysqlCallbackPoolLike;

/** A pool of `mysql2/promise`. */
export interface MysqlPromisePoolLike {
  getConnection(): Promise<MysqlConnectionLike>;
}

/** A pool of `mysql2`. */
export interface MysqlCallbackPoolLike {
  promise(): MysqlPromisePoolLike;
}

/** A connection of a {@link MysqlPromisePoolLike}. */
export interface MysqlConnectionLike {
  query(options: { sql: string }): Promise<[unknown, unknown]>;
  release(): void;
  destroy(): void;
}

/** A connection of our own. */
export interface OwnConnection extends Omit<MysqlConnectionLike, 'release'> {
  on(event: 'error' | 'end', listener: () => void): unknown;
}

/** The settings of a connection besides its URL, with those of TLS in the URL. */
export interface MysqlCredentials {
  password?: string | (() => string | Promise<string>);
  ssl?: MysqlTlsOptions;
}

const TLS_OPTIONS: Record<MysqlTlsMode, MysqlTlsOptions | undefined> = {
  DISABLED: undefined,
  REQUIRED: { rejectUnauthorized: false },
  VERIFY_CA: { rejectUnauthorized: true },
  VERIFY_IDENTITY: { rejectUnauthorized: true, verifyIdentity: true },
};

/**
 * Returns the settings of TLS; `undefined` for a connection without it.
 *
 * @throws TypeError where `mysql2` would compare the certificate with `localhost` instead of the address
 */
export function resolveTls(
  { host, tlsMode }: MysqlAddress,
  ssl: MysqlTlsOptions | undefined,
): MysqlTlsOptions | undefined {
  const tls = ssl ?? (tlsMode && TLS_OPTIONS[tlsMode]);
  if (!tls?.verifyIdentity || isIP(host) === 0) return tls;
  throw new TypeError(
    `${host} can't be verified: mysql2 compares names only. Use the host name of the certificate, or ssl-mode=VERIFY_CA`,
  );
}

/** Opens a connection. Loads `mysql2` on use: an application with another storage need not have it installed. */
export async function openConnection(
  address: MysqlAddress,
  { password, ssl }: MysqlCredentials,
  timeoutMs: number,
): Promise<OwnConnection> {
  const { createConnection } = await loadMysql();
  const { host, port, database, user } = address;
  const secret = typeof password === 'function' ? await password() : (password ?? address.password);
  const connection = (await createConnection({
    host,
    port,
    database,
    user,
    // As the clients of MySQL do.
    password: secret ?? process.env.MYSQL_PWD,
    charset: 'utf8mb4',
    connectTimeout: timeoutMs,
    connectAttributes: { program_name: 'nestjs-maintenance' },
    ...(ssl && { ssl: ssl as Mysql.SslOptions }),
  })) as unknown as OwnConnection;
  // The next call reports the error; an `error` event without a listener would end the process.
  connection.on('error', () => undefined);
  for (const sql of createSessionSettings(timeoutMs)) await connection.query({ sql }).catch(ignoreUnknownVariable);
  return connection;
}

/** The server gives up before its client does, so that no statement outlives its call. */
function createSessionSettings(timeoutMs: number): string[] {
  const seconds = Math.max(1, Math.round((timeoutMs * 0.6) / 1_000));
  return [
    `SET SESSION autocommit = 1, lock_wait_timeout = ${seconds}, innodb_lock_wait_timeout = ${seconds}`,
    // MariaDB only; MySQL limits queries that only read.
    `SET SESSION max_statement_time = ${(timeoutMs * 0.8) / 1_000}`,
  ];
}

function ignoreUnknownVariable(error: Error & { code?: unknown }): void {
  if (error.code !== 'ER_UNKNOWN_SYSTEM_VARIABLE') throw error;
}

async function loadMysql(): Promise<typeof Mysql> {
  const mysql = await import('mysql2/promise');
  return (mysql.default as typeof Mysql | undefined) ?? mysql;
}

/** Returns where a pool of the application connects to. */
export function getPoolServer(pool: MysqlPoolLike): MysqlServer {
  const { config, pool: core } = pool as MysqlPoolInternals<MysqlServer>;
  return (config ?? core?.config)?.connectionConfig ?? {};
}
