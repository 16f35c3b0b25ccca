import { mayQueryHoldPassword, redactUrlCredentials } from '../../utils/redact-credentials.js';

/** Which server, database and key a {@link RedisStateStorage} works on. */
export interface RedisAddress {
  host: string;
  port: number;
  tls: boolean;
  database: number;
  username?: string;
  password?: string;
  /** Missing where the URL names none. */
  key?: string;
}

/** The keys and the channel of one state, all in one slot of a cluster. */
export interface RedisNames {
  state: string;
  /** A hash: the record of each instance under its id. */
  reports: string;
  /** A sorted set: when each of these records is over, in milliseconds since the epoch. */
  expiries: string;
  channel: string;
}

/** The key where none is named. */
export const DEFAULT_REDIS_KEY = 'maintenance_state';

const EXAMPLE = 'redis://host:6379/0?key=maintenance_state';

/**
 * Reads `redis://user:password@host:port/database?key=`, or `rediss:` for TLS.
 *
 * @throws TypeError with a sentence that tells what is wrong, without the credentials
 */
export function parseRedisUrl(url: string): RedisAddress {
  const refuse = (reason: string): TypeError =>
    new TypeError(`${JSON.stringify(redactUrlCredentials(url))} ${reason}; write ${EXAMPLE}`);
  if (!/^rediss?:\/\//i.test(url) || !URL.canParse(url)) throw refuse('is not the URL of a Redis server');
  const { protocol, hostname, port, pathname, searchParams, hash, username, password } = new URL(url);
  if (hostname === '') throw refuse('names no host');
  if (hash !== '') throw refuse('has a part after "#", which belongs into the key as %23');
  if (!/^\/?\d{0,5}$/.test(pathname)) throw refuse('names a database that is no number');
  for (const name of new Set(searchParams.keys())) {
    if (name === 'key') continue;
    throw refuse(
      `has ${mayQueryHoldPassword(url) ? 'an unknown parameter' : `the unknown parameter ${JSON.stringify(name)}`}`,
    );
  }
  const [key, ...more] = searchParams.getAll('key');
  if (key === '' || more.length > 0) throw refuse('must name one key');
  try {
    return {
      // What the URL writes as [::1] is ::1 for a socket.
      host: decodeURIComponent(hostname.replace(/^\[|\]$/g, '')),
      port: Number(port || 6379),
      tls: protocol === 'rediss:',
      database: Number(pathname.slice(1)),
      ...(username !== '' && { username: decodeURIComponent(username) }),
      ...(password !== '' && { password: decodeURIComponent(password) }),
      ...(key !== undefined && { key }),
    };
  } catch {
    throw refuse('has a "%" that is not escaped as %25');
  }
}

/** Server, database and key in a form that people can copy, without credentials. */
export function formatRedisLocation({ host, port, tls, database }: RedisAddress, key: string): string {
  const shownHost = host.includes(':') ? `[${host}]` : host;
  return `redis${tls ? 's' : ''}://${shownHost}:${port}/${database}?key=${formatKey(key)}`;
}

/** A key as it stands in the query of a URL; what needs no escape stays readable. */
export function formatKey(key: string): string {
  // eslint-disable-next-line no-control-regex -- these are the ones to escape
  return key.replace(/[%&#+@\s\u0000-\u001f\u007f]/g, (character) => encodeURIComponent(character));
}

/**
 * The names that belong to a key. A cluster keeps together what has the same hash tag, the part in braces.
 *
 * @throws TypeError for a key whose braces are no hash tag: nothing can be made to stand beside it
 */
export function createRedisNames(key: string): RedisNames {
  const hasTag = /^[^{]*\{[^}]+\}/.test(key);
  if (!hasTag && /[{}]/.test(key)) {
    throw new TypeError(`the key ${JSON.stringify(key)} may have braces only around a hash tag, as {shop}:maintenance`);
  }
  const prefix = hasTag ? key : `{${key}}`;
  return {
    state: key,
    reports: `${prefix}:instances`,
    expiries: `${prefix}:instances:expiries`,
    channel: `${prefix}:changes`,
  };
}
