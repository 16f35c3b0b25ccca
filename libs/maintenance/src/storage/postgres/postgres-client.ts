import type { ConnectionOptions } from 'node:tls';
import type pg from 'pg';
import type { PostgresAddress } from './postgres-address.js';

/**
 * The part of a `Pool` of the package `pg` that the storage uses. Declared here, so that our types do not depend on
 * that package.
 */
export interface PostgresPoolLike {
  /** The settings of the pool, with which the storage opens a connection for notifications. */
  readonly options?: object;
  connect(): Promise<PostgresPoolClientLike>;
  on(event: 'error', listener: (error: Error) => void): unknown;
  off(event: 'error', listener: (error: Error) => void): unknown;
}

/** The part of a client of a {@link PostgresPoolLike} that the storage uses. */
export interface PostgresPoolClientLike {
  query(sql: string): Promise<unknown>;
  release(error?: Error | boolean): void;
  on(event: 'error', listener: (error: Error) => void): unknown;
  off(event: 'error', listener: (error: Error) => void): unknown;
}

/** A connection for notifications. */
export interface PostgresListener {
  /** The id of the server process that the server has given to the client. */
  readonly processID?: number | null;
  connect(): Promise<unknown>;
  query(sql: string): Promise<unknown>;
  end(): Promise<void>;
  unref(): void;
  on(event: 'notification' | 'error' | 'end', listener: () => void): unknown;
}

/** A pool of the storage's own. */
export interface OwnPool extends PostgresPoolLike {
  end(): Promise<void>;
}

/** The settings of a connection besides its URL. */
export interface PostgresCredentials {
  password?: string | (() => string | Promise<string>);
  ssl?: boolean | ConnectionOptions;
}

/** A storage needs one connection at a time; a second one is opened while a call hangs. */
const MAX_CONNECTIONS = 2;

/** Creates the settings of `pg` for a URL. */
export function createClientSettings(
  address: PostgresAddress,
  { password, ssl }: PostgresCredentials,
  timeoutMs: number,
): object {
  const { connectionString, host, port, user, database } = address;
  const common = {
    application_name: 'nestjs-maintenance',
    connectionTimeoutMillis: timeoutMs,
    keepAlive: true,
    ...(ssl !== undefined && { ssl }),
  };
  // The URL would replace the password, even without one.
  if (password === undefined) return { ...common, connectionString };
  return { ...common, host, port, user, database, password };
}

/** Creates a pool. Loads `pg` on use: an application with another storage need not have it installed. */
export async function createOwnPool(settings: object): Promise<OwnPool> {
  const { Pool } = await loadPg();
  const pool = new Pool({ ...settings, max: MAX_CONNECTIONS, idleTimeoutMillis: 30_000, allowExitOnIdle: true });
  // The next call reports the error; an `error` event without a listener would end the process.
  pool.on('error', () => undefined);
  return pool;
}

/** Creates a client that listens. Does not reconnect: its owner creates another one. */
export async function createListener(settings: object, timeoutMs: number): Promise<PostgresListener> {
  const { Client } = await loadPg();
  const limits = { connectionTimeoutMillis: timeoutMs, query_timeout: timeoutMs };
  // A pool hides its password from enumeration.
  const descriptors = { ...Object.getOwnPropertyDescriptors(settings), ...Object.getOwnPropertyDescriptors(limits) };
  return new Client(Object.defineProperties({}, descriptors)) as pg.Client & Pick<PostgresListener, 'unref'>;
}

async function loadPg(): Promise<typeof pg> {
  return (await import('pg')).default;
}
