import type { RedisClientKind } from '../../nest-internals.js';
import type { RedisAddress } from './redis-address.js';

/**
 * The part of a client of the `redis` package that the storage uses. `createClient()`, `createCluster()` and
 * `createSentinel()` return one. Declared here, so that our types do not depend on that package.
 */
export interface RedisClientLike {
  readonly isOpen: boolean;
  connect(): Promise<unknown>;
  destroy(): unknown;
  duplicate(overrides?: never): unknown;
  sendCommand(...args: never[]): Promise<unknown>;
  subscribe(channel: string, listener: (message: string) => void): Promise<unknown>;
  on(event: string, listener: (...args: unknown[]) => void): unknown;
  off(event: string, listener: (...args: unknown[]) => void): unknown;
}

/** Options of one command of the `redis` package. */
interface CommandOptions {
  abortSignal?: AbortSignal;
  typeMapping: Record<number, unknown>;
}

/** The options of a client that tell where it connects to. */
interface ClientOptions {
  url?: string;
  database?: number;
  socket?: { host?: string; port?: number; path?: string; tls?: boolean };
}

/** The members that differ between the three kinds of clients. */
type RedisClientInternals = Omit<RedisClientLike, 'duplicate' | 'sendCommand'> &
  RedisClientKind<ClientOptions> & {
    isReady?: boolean;
    options?: ClientOptions;
    sendCommand(...args: unknown[]): Promise<unknown>;
    duplicate(overrides?: object): RedisClientLike;
  };

// `$` marks strings in the protocol of Redis. Read as bytes, because a version is the hash of any content, text or not.
const BYTES_TYPE_MAPPING = { ['$'.charCodeAt(0)]: Buffer };

/** A subscribed connection sends a ping every so many milliseconds. */
const PING_INTERVAL_MS = 3_000;
/** A subscribed connection without traffic for so many milliseconds counts as dead. */
const SOCKET_TIMEOUT_MS = 5_000;

/** Whether a client sends commands or listens to a channel. */
export type ClientRole = 'commands' | 'listening';

/** Creates a client that does not reconnect: its owner creates another one. */
export async function createOwnClient(
  address: RedisAddress,
  timeout: number,
  role: ClientRole,
): Promise<RedisClientLike> {
  // Loaded on use: an application with another storage need not have it installed.
  const { createClient } = await import('redis');
  const { host, port, tls, database, username, password } = address;
  const socket = { host, port, ...createSocketOptions(timeout, role) };
  return createClient({
    // RESP 2 has all that is needed, and older and compatible servers support it too.
    RESP: 2,
    socket: tls ? { ...socket, tls } : socket,
    database,
    username,
    password,
    clientInfoTag: 'nestjs-maintenance',
    disableOfflineQueue: true,
    ...(role === 'listening' && { pingInterval: PING_INTERVAL_MS }),
  });
}

/**
 * Creates a second client to the same server, which listens. Does not reconnect, except to a cluster or through
 * Sentinel.
 */
export function createListener(client: RedisClientLike, timeout: number): RedisClientLike {
  const original = client as RedisClientInternals;
  if (isCluster(original) || isSentinel(original)) return original.duplicate();
  const socket = { ...original.options?.socket, ...createSocketOptions(timeout, 'listening') };
  return original.duplicate({ socket, pingInterval: PING_INTERVAL_MS });
}

function createSocketOptions(
  connectTimeout: number,
  role: ClientRole,
): { connectTimeout: number; reconnectStrategy: false; socketTimeout?: number } {
  return {
    connectTimeout,
    reconnectStrategy: false,
    ...(role === 'listening' && { socketTimeout: SOCKET_TIMEOUT_MS }),
  };
}

/** Sends a command for `key` to the master. Strings in the reply are returned as bytes. */
export function sendCommand(
  client: RedisClientLike,
  key: string,
  args: string[],
  signal?: AbortSignal,
): Promise<unknown> {
  const details = client as RedisClientInternals;
  const options: CommandOptions = { typeMapping: BYTES_TYPE_MAPPING, ...(signal && { abortSignal: signal }) };
  // Never to a replica, which may be behind.
  if (isCluster(details)) return details.sendCommand(key, false, args, options);
  if (isSentinel(details)) return details.sendCommand(false, args, options);
  return details.sendCommand(args, options);
}

/** Whether the client would send a command immediately. A cluster client does not tell. */
export function isReady(client: RedisClientLike): boolean {
  return (client as RedisClientInternals).isReady ?? client.isOpen;
}

/** Destroys a client in any state. Never throws. */
export function destroyClient(client: RedisClientLike): void {
  try {
    // Asynchronous for Sentinel.
    void Promise.resolve(client.destroy()).catch(() => undefined);
  } catch {
    // It is closed already.
  }
}

/** Describes the server of an application's client, without credentials. */
export function describeClientAddress(client: RedisClientLike): string {
  const details = client as RedisClientInternals;
  if (isCluster(details)) return `${(details._options?.rootNodes ?? []).map(formatAddress).join(',') || 'cluster'}/0`;
  if (isSentinel(details)) return 'sentinel/0';
  return `${formatAddress(details.options)}/${details.options?.database ?? 0}`;
}

/** Whether an application's client uses TLS. */
export function usesTls(client: RedisClientLike): boolean {
  const { options, _options } = client as RedisClientInternals;
  return [options, ...(_options?.rootNodes ?? [])].some(
    (node) => node?.socket?.tls === true || /^rediss:/i.test(node?.url ?? ''),
  );
}

function formatAddress({ url, socket }: ClientOptions = {}): string {
  if (url !== undefined && URL.canParse(url) && new URL(url).host !== '') {
    const { hostname, port } = new URL(url);
    return `${hostname}:${port || 6379}`;
  }
  if (socket?.path !== undefined) return socket.path;
  const host = socket?.host ?? 'localhost';
  return `${host.includes(':') ? `[${host}]` : host}:${socket?.port ?? 6379}`;
}

function isCluster(client: RedisClientInternals): boolean {
  return client.masters !== undefined;
}

function isSentinel(client: RedisClientInternals): boolean {
  return client.getSentinelNode !== undefined;
}
