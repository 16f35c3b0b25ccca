import type { RedisAddress } from './redis-address.js';

/**
 * What the storage needs of a client of the `redis` package, made by `createClient()`, `createCluster()` or
 * `createSentinel()`. Named here so that no types of that package are part of ours.
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

/** Options of one command, as the `redis` package takes them. */
interface CommandOptions {
  abortSignal?: AbortSignal;
  typeMapping: Record<number, unknown>;
}

interface ClientOptions {
  url?: string;
  database?: number;
  socket?: { host?: string; port?: number; path?: string; tls?: boolean };
}

/** What is not the same in the three kinds of clients. */
type RedisClientInternals = Omit<RedisClientLike, 'duplicate' | 'sendCommand'> & {
  isReady?: boolean;
  options?: ClientOptions;
  /** Of a cluster. */
  _options?: { rootNodes?: ClientOptions[] };
  masters?: unknown;
  getSentinelNode?: unknown;
  sendCommand(...args: unknown[]): Promise<unknown>;
  duplicate(overrides?: object): RedisClientLike;
};

// The mark of strings in Redis's protocol. Bytes, since a version is the hash of what is there, be it text or not.
const BYTES_TYPE_MAPPING = { ['$'.charCodeAt(0)]: Buffer };

/** Milliseconds between two signs of life on a connection that only listens, and after which it counts as dead. */
const PING_INTERVAL_MS = 3_000;
const SOCKET_TIMEOUT_MS = 5_000;

/** What a client is for: commands, or listening to a channel. */
export type ClientRole = 'commands' | 'listening';

/** A client for one connection, which ends with it: whoever uses it opens the next. */
export async function createOwnClient(
  address: RedisAddress,
  timeout: number,
  role: ClientRole,
): Promise<RedisClientLike> {
  // Loaded when used: who keeps the state in a file need not have it.
  const { createClient } = await import('redis');
  const { host, port, tls, database, username, password } = address;
  const socket = { host, port, ...createSocketOptions(timeout, role) };
  return createClient({
    // The older protocol can do all that is needed, on older servers and look-alikes too.
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

/** A second client to the same server that listens and ends with its connection; of a cluster or sentinels one that lasts. */
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

/** Sends a command about `key` to the server that may write it. Gives strings as bytes. */
export function sendCommand(
  client: RedisClientLike,
  key: string,
  args: string[],
  signal?: AbortSignal,
): Promise<unknown> {
  const details = client as RedisClientInternals;
  const options: CommandOptions = { typeMapping: BYTES_TYPE_MAPPING, ...(signal && { abortSignal: signal }) };
  // Never a replica: it may be behind what was just written.
  if (isCluster(details)) return details.sendCommand(key, false, args, options);
  if (isSentinel(details)) return details.sendCommand(false, args, options);
  return details.sendCommand(args, options);
}

/** Whether commands would be sent at once; a cluster does not say. */
export function isReady(client: RedisClientLike): boolean {
  return (client as RedisClientInternals).isReady ?? client.isOpen;
}

/** Ends a client, whatever state it is in. */
export function destroyClient(client: RedisClientLike): void {
  try {
    // Of sentinels it is asynchronous.
    void Promise.resolve(client.destroy()).catch(() => undefined);
  } catch {
    // It was closed before.
  }
}

/** Where the client of an application leads, in a form for people, without credentials. */
export function describeClientAddress(client: RedisClientLike): string {
  const details = client as RedisClientInternals;
  if (isCluster(details)) return `${(details._options?.rootNodes ?? []).map(formatAddress).join(',') || 'cluster'}/0`;
  if (isSentinel(details)) return 'sentinel/0';
  return `${formatAddress(details.options)}/${details.options?.database ?? 0}`;
}

/** Whether that client uses TLS. */
export function usesTls(client: RedisClientLike): boolean {
  const { options, _options } = client as RedisClientInternals;
  return [options, ...(_options?.rootNodes ?? [])].some(
    (given) => given?.socket?.tls === true || /^rediss:/i.test(given?.url ?? ''),
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
