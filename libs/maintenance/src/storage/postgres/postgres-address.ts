import { createHash } from 'node:crypto';
import { redactUrlCredentials } from '../../utils/redact-credentials.js';
import { parseSqlTable, type SqlTable } from '../sql-table.js';
import { assertUrlParameters, encodeUrlPart, formatHost } from '../url-parts.js';

/** The URL of a `PostgresStateStorage`, without the parameters that only the storage knows. */
export interface PostgresAddress {
  /** The URL for `pg`, with the credentials. */
  connectionString: string;
  /** The parts of the URL, where `pg` can't take it as a whole; missing ones come from the environment. */
  host?: string;
  port?: number;
  user?: string;
  database?: string;
  /** Whether the URL has settings of TLS. */
  hasTls: boolean;
  /** Missing if the URL has none. */
  table?: string;
  key?: string;
  listen?: boolean;
}

/** The length of the longest name, in characters. */
const MAX_NAME_LENGTH = 63;
const EXAMPLE_URL = 'postgres://user@host:5432/database?table=maintenance_state&key=shop';
const OWN_PARAMETERS = ['table', 'key', 'listen'];
const TLS_PARAMETERS = ['ssl', 'sslmode', 'sslcert', 'sslkey', 'sslrootcert', 'sslnegotiation', 'uselibpqcompat'];
const PG_PARAMETERS = [
  ...TLS_PARAMETERS,
  'host',
  'port',
  'user',
  'application_name',
  'options',
  'client_encoding',
  'channel_binding',
];

/**
 * Parses `postgres://user:password@host:port/database?table=&key=&listen=`, with the parameters that `pg` takes.
 *
 * @throws TypeError that explains what is wrong with the URL, without its credentials
 */
export function parsePostgresUrl(url: string): PostgresAddress {
  const refuse = (reason: string): TypeError =>
    new TypeError(`${JSON.stringify(redactUrlCredentials(url))} ${reason}; expected a URL such as ${EXAMPLE_URL}`);
  if (!/^postgres(?:ql)?:\/\//i.test(url) || !URL.canParse(url)) throw refuse('is not a Postgres URL');
  const parsed = new URL(url);
  const { hostname, port, pathname, searchParams, hash, username } = parsed;
  if (hash !== '') throw refuse('contains "#"; encode it as %23');
  // Credentials at the wrong place would be shown as the name of the database.
  if (pathname.includes('@')) throw refuse('has "@" in its database; encode it as %40');
  assertUrlParameters(url, [...OWN_PARAMETERS, ...PG_PARAMETERS], refuse);
  const [table, key, listen] = OWN_PARAMETERS.map((name) => searchParams.get(name) ?? undefined);
  if (listen !== undefined && !/^(?:true|false)$/.test(listen)) throw refuse('must have true or false as listen');
  for (const name of OWN_PARAMETERS) parsed.searchParams.delete(name);
  const parts = {
    // A URL writes an IPv6 address in brackets, a socket takes it without.
    host: searchParams.get('host') ?? hostname.replace(/^\[|\]$/g, ''),
    port: searchParams.get('port') ?? port,
    user: searchParams.get('user') ?? username,
    database: pathname.slice(1),
  };
  if (!/^\d*$/.test(parts.port)) throw refuse('has a port that is not a number');
  try {
    const { host, user, database } = parts;
    decodeURIComponent(parsed.password);
    return {
      connectionString: parsed.href,
      ...(host !== '' && { host: decodeURIComponent(host) }),
      ...(parts.port !== '' && { port: Number(parts.port) }),
      ...(user !== '' && { user: decodeURIComponent(user) }),
      ...(database !== '' && { database: decodeURIComponent(database) }),
      hasTls: TLS_PARAMETERS.some((name) => searchParams.has(name)),
      ...(table !== undefined && { table }),
      ...(key !== undefined && { key }),
      ...(listen !== undefined && { listen: listen === 'true' }),
    };
  } catch {
    throw refuse('contains "%"; encode it as %25');
  }
}

/** Where a client connects to; missing parts come from the environment, as in `psql`. */
export interface PostgresServer {
  host?: string;
  port?: number;
  database?: string;
}

/** Formats server, database, table and key as a URL without credentials. */
export function formatPostgresLocation(server: PostgresServer, table: SqlTable, key: string): string {
  const { PGHOST, PGPORT, PGDATABASE } = process.env;
  const host = server.host ?? (PGHOST || 'localhost');
  const port = server.port ?? (PGPORT || 5432);
  const database = encodeUrlPart(server.database ?? PGDATABASE ?? '');
  const isSocket = host.startsWith('/');
  const path = `${database}?table=${table.name}&key=${encodeUrlPart(key)}`;
  return isSocket ? `postgres:///${path}&host=${encodeUrlPart(host)}` : `postgres://${formatHost(host, port)}/${path}`;
}

/**
 * Parses the name of a table, alone or after its schema.
 *
 * @throws TypeError for a name that would need quotes in `psql` for other reasons than capital letters
 */
export function parsePostgresTable(name: string): SqlTable {
  return parseSqlTable(name, '"', MAX_NAME_LENGTH);
}

/**
 * Checks a key.
 *
 * @throws TypeError for a key that can't be stored
 */
export function assertPostgresKey(key: string): string {
  if (key !== '' && key.length <= 200 && !key.includes('\0')) return key;
  throw new TypeError('the key must have 1 to 200 characters, none of them NUL');
}

/** Creates the name of the channel on which changes are published, from the table without its schema, and the key. */
export function createChannelName({ name }: SqlTable, key: string): string {
  const hash = createHash('sha256')
    .update(`${name.replace(/^.*\./, '')}\0${key}`)
    .digest('hex');
  return `maintenance_${hash.slice(0, 32)}`;
}
