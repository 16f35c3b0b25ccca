import { redactUrlCredentials } from '../../utils/redact-credentials.js';
import { parseSqlTable, type SqlTable } from '../sql-table.js';
import { assertUrlParameters, encodeUrlPart, formatHost } from '../url-parts.js';

/** The server, database, table and key of a URL. */
export interface MysqlAddress {
  host: string;
  port: number;
  database: string;
  user?: string;
  password?: string;
  tlsMode?: MysqlTlsMode;
  /** Missing if the URL has none. */
  table?: string;
  key?: string;
}

/** Whether a connection uses TLS, and whether it checks the certificate, as the clients of MySQL name it. */
export type MysqlTlsMode = 'DISABLED' | 'REQUIRED' | 'VERIFY_CA' | 'VERIFY_IDENTITY';

/** The length of the longest name, in characters. */
const MAX_NAME_LENGTH = 64;
const EXAMPLE_URL = 'mysql://user@host:3306/database?table=maintenance_state&key=shop';
const TLS_MODES = new Set<string>(['DISABLED', 'REQUIRED', 'VERIFY_CA', 'VERIFY_IDENTITY'] satisfies MysqlTlsMode[]);
const PARAMETERS = ['table', 'key', 'ssl-mode'];

/**
 * Parses `mysql://user:password@host:port/database?table=&key=&ssl-mode=`.
 *
 * @throws TypeError that explains what is wrong with the URL, without its credentials
 */
export function parseMysqlUrl(url: string): MysqlAddress {
  const refuse = (reason: string): TypeError =>
    new TypeError(`${JSON.stringify(redactUrlCredentials(url))} ${reason}; expected a URL such as ${EXAMPLE_URL}`);
  if (!/^(?:mysql|mariadb):\/\//i.test(url) || !URL.canParse(url)) throw refuse('is not a MySQL URL');
  const { hostname, port, pathname, searchParams, hash, username, password } = new URL(url);
  if (hostname === '') throw refuse('has no host');
  if (hash !== '') throw refuse('contains "#"; encode it as %23');
  // Credentials at the wrong place would be shown as the name of the database.
  if (pathname.includes('@')) throw refuse('has "@" in its database; encode it as %40');
  if (!/^\/[^/]+$/.test(pathname)) throw refuse('has no database');
  assertUrlParameters(url, PARAMETERS, refuse);
  const [table, key, tlsMode] = PARAMETERS.map((name) => searchParams.get(name) ?? undefined);
  if (tlsMode !== undefined && !TLS_MODES.has(tlsMode.toUpperCase())) {
    throw refuse(`must have one of ${[...TLS_MODES].join(', ')} as ssl-mode`);
  }
  try {
    return {
      // A URL writes an IPv6 address in brackets, a socket takes it without.
      host: decodeURIComponent(hostname.replace(/^\[|\]$/g, '')),
      port: Number(port || 3306),
      database: decodeURIComponent(pathname.slice(1)),
      ...(username !== '' && { user: decodeURIComponent(username) }),
      ...(password !== '' && { password: decodeURIComponent(password) }),
      ...(tlsMode !== undefined && { tlsMode: tlsMode.toUpperCase() as MysqlTlsMode }),
      ...(table !== undefined && { table }),
      ...(key !== undefined && { key }),
    };
  } catch {
    throw refuse('contains "%"; encode it as %25');
  }
}

/** Where a client connects to. */
export interface MysqlServer {
  host?: string;
  port?: number;
  database?: string;
  socketPath?: string;
}

/** Formats server, database, table and key as a URL without credentials. */
export function formatMysqlLocation(server: MysqlServer, table: SqlTable, key: string): string {
  const { host = 'localhost', port = 3306, database = '', socketPath } = server;
  const address = socketPath === undefined ? formatHost(host, port) : encodeUrlPart(socketPath);
  return `mysql://${address}/${encodeUrlPart(database)}?table=${table.name}&key=${encodeUrlPart(key)}`;
}

/**
 * Parses the name of a table, alone or after its database.
 *
 * @throws TypeError for a name that would need quotes
 */
export function parseMysqlTable(name: string): SqlTable {
  return parseSqlTable(name, '`', MAX_NAME_LENGTH);
}

/**
 * Checks a key.
 *
 * @throws TypeError for a key that can't be stored
 */
export function assertMysqlKey(key: string): string {
  // MySQL ignores spaces at the end when it compares.
  if (/^[^]{0,199}[^\s]$/.test(key) && !key.includes('\0')) return key;
  throw new TypeError('the key must have 1 to 200 characters, none of them NUL, and no space at its end');
}
