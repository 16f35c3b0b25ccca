import { redactUrlCredentials } from '../../utils/redact-credentials.js';
import { assertUrlParameters, formatHost } from '../url-parts.js';

/** The server, database and key of a {@link RedisStateStorage}. */
export interface RedisAddress {
  host: string;
  port: number;
  tls: boolean;
  database: number;
  username?: string;
  password?: string;
  /** Missing if the URL has none. */
  key?: string;
}

/** The keys and the channel of one state, all in the same slot of a cluster. */
export interface RedisNames {
  state: string;
  /** A hash: the report of each instance under its id. */
  reports: string;
  /** A sorted set: when each report expires, in milliseconds since the epoch. */
  expiries: string;
  channel: string;
}

/** The key that is used if none is given. */
export const DEFAULT_REDIS_KEY = 'maintenance_state';

const EXAMPLE_URL = 'redis://host:6379/0?key=maintenance_state';

/**
 * Parses `redis://user:password@host:port/database?key=`, or `rediss:` for TLS.
 *
 * @throws TypeError that explains what is wrong with the URL, without its credentials
 */
export function parseRedisUrl(url: string): RedisAddress {
  const refuse = (reason: string): TypeError =>
    new TypeError(`${JSON.stringify(redactUrlCredentials(url))} ${reason}; expected a URL such as ${EXAMPLE_URL}`);
  if (!/^rediss?:\/\//i.test(url) || !URL.canParse(url)) throw refuse('is not a Redis URL');
  const { protocol, hostname, port, pathname, searchParams, hash, username, password } = new URL(url);
  if (hostname === '') throw refuse('has no host');
  if (hash !== '') throw refuse('contains "#"; encode it as %23');
  if (!/^\/?\d{0,5}$/.test(pathname)) throw refuse('has a database that is not a number');
  assertUrlParameters(url, ['key'], refuse);
  const key = searchParams.get('key') ?? undefined;
  try {
    return {
      // A URL writes an IPv6 address in brackets, a socket takes it without.
      host: decodeURIComponent(hostname.replace(/^\[|\]$/g, '')),
      port: Number(port || 6379),
      tls: protocol === 'rediss:',
      database: Number(pathname.slice(1)),
      ...(username !== '' && { username: decodeURIComponent(username) }),
      ...(password !== '' && { password: decodeURIComponent(password) }),
      ...(key !== undefined && { key }),
    };
  } catch {
    throw refuse('contains "%"; encode it as %25');
  }
}

/** Formats server and database as a URL without credentials. */
export function formatRedisAddress({ host, port, tls, database }: RedisAddress): string {
  return `redis${tls ? 's' : ''}://${formatHost(host, port)}/${database}`;
}

/**
 * Creates the names that belong to a key. A cluster keeps keys with the same hash tag, the part in braces, in one slot.
 *
 * @throws TypeError for a key whose braces are not a hash tag: no other key could be put in the same slot
 */
export function createRedisNames(key: string): RedisNames {
  const hasTag = /^[^{]*\{[^}]+\}/.test(key);
  if (!hasTag && /[{}]/.test(key)) {
    throw new TypeError(
      `the key ${JSON.stringify(key)} has braces that are not a hash tag; use a key such as {shop}:maintenance`,
    );
  }
  const prefix = hasTag ? key : `{${key}}`;
  return {
    state: key,
    reports: `${prefix}:instances`,
    expiries: `${prefix}:instances:expiries`,
    channel: `${prefix}:changes`,
  };
}
