import type { RedisClientKind } from '../../nest-internals.js';
import { formatHost } from '../url-parts.js';
import { formatRedisAddress, type RedisAddress } from './redis-address.js';
import type { CommandClient, ListeningClient, NodeRedisClientLike, RedisSource } from './redis-client.js';
import { ExternalConnection, ManagedConnection } from './redis-connection.js';

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

type Listener = (message: string) => void;

/** The members that differ between the three kinds of clients. */
type NodeRedisInternals = Omit<NodeRedisClientLike, 'sendCommand'> &
  RedisClientKind<ClientOptions> & {
    options?: ClientOptions;
    sendCommand(...args: unknown[]): Promise<unknown>;
    duplicate(overrides?: object): NodeRedisClientLike;
    unsubscribe(channel: string, listener: Listener): Promise<unknown>;
  };

// `$` marks strings in the protocol of Redis. Read as bytes, because a version is the hash of any content, text or not.
const BYTES_TYPE_MAPPING = { ['$'.charCodeAt(0)]: Buffer };

/** A subscribed connection sends a ping every so many milliseconds. */
const PING_INTERVAL_MS = 3_000;
/** A subscribed connection without traffic for so many milliseconds counts as dead. */
const SOCKET_TIMEOUT_MS = 5_000;

/** Connects to the server of a URL with the `redis` package. */
export function createUrlSource(url: RedisAddress): RedisSource {
  return {
    address: formatRedisAddress(url),
    hasClient: false,
    keyPrefix: '',
    createConnection: (timeout) =>
      new ManagedConnection(async () => toCommandClient(await createOwnClient(url, timeout, 'commands')), timeout),
    createListener: async (timeout) => new OwnListener(await createOwnClient(url, timeout, 'listening')),
  };
}

/** Sends commands over a client of the application, and listens over a second connection to the same servers. */
export function createNodeRedisSource(client: NodeRedisClientLike): RedisSource {
  const details = client as NodeRedisInternals;
  return {
    address: describeAddress(details),
    hasClient: true,
    keyPrefix: '',
    createConnection: (timeout) => new ExternalConnection(client, toCommandClient(client), timeout),
    createListener: async (timeout) => createListener(details, timeout),
  };
}

/** Creates a client that does not reconnect: its owner creates another one. */
async function createOwnClient(
  address: RedisAddress,
  timeout: number,
  role: 'commands' | 'listening',
): Promise<NodeRedisClientLike> {
  // Loaded on use: an application with another storage need not have it installed.
  const { createClient } = await import('redis');
  const { host, port, tls, database, username, password } = address;
  const socket = { host, port, ...createSocketOptions(timeout, role === 'listening') };
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

function createSocketOptions(
  connectTimeout: number,
  isListening: boolean,
): { connectTimeout: number; reconnectStrategy: false; socketTimeout?: number } {
  return { connectTimeout, reconnectStrategy: false, ...(isListening && { socketTimeout: SOCKET_TIMEOUT_MS }) };
}

function createListener(client: NodeRedisInternals, timeout: number): ListeningClient {
  // Listens over a connection of its own already.
  if (isSentinel(client)) return new SentinelListener(client);
  // Reconnects on its own.
  if (isCluster(client)) return new OwnListener(client.duplicate());
  const socket = { ...client.options?.socket, ...createSocketOptions(timeout, true) };
  return new OwnListener(client.duplicate({ socket, pingInterval: PING_INTERVAL_MS }));
}

/** Listens over a client of our own. */
class OwnListener implements ListeningClient {
  constructor(private readonly client: NodeRedisClientLike) {}

  async listen(channel: string, onMessage: () => void, onEnd: () => void): Promise<void> {
    const { client } = this;
    client.on('error', () => !client.isOpen && onEnd());
    client.on('end', onEnd);
    client.on('disconnect', onEnd);
    await client.connect();
    await client.subscribe(channel, onMessage);
    // A cluster client reconnects and resubscribes on its own, before it emits these events.
    for (const event of ['node-ready', 'ready']) client.on(event, onMessage);
  }

  destroy(): void {
    destroyClient(this.client);
  }
}

/** Listens over the application's client of sentinels, which subscribes over a connection of its own. */
class SentinelListener implements ListeningClient {
  #end = (): void => undefined;

  constructor(private readonly client: NodeRedisInternals) {}

  async listen(channel: string, onMessage: () => void, onEnd: () => void): Promise<void> {
    const { client } = this;
    const listener = (): void => onMessage();
    const subscribe = (): Promise<unknown> => client.subscribe(channel, listener);
    // The client subscribes again at the new master, unless that is not ready yet.
    const onChange = (event: unknown): void => {
      if ((event as { type?: string }).type === 'MASTER_CHANGE') subscribe().then(onMessage, onEnd);
    };
    client.on('topology-change', onChange);
    this.#end = () => {
      client.off('topology-change', onChange);
      if (client.isOpen) void client.unsubscribe(channel, listener).catch(() => undefined);
    };
    await subscribe();
  }

  destroy(): void {
    this.#end();
  }
}

function toCommandClient(client: NodeRedisClientLike): CommandClient {
  return {
    get isOpen() {
      return client.isOpen;
    },
    connect: () => {
      // The failed command reports the error; an `error` event without a listener would end the process.
      client.on('error', () => undefined);
      return client.connect();
    },
    sendCommand: (key, args, signal) => sendCommand(client as NodeRedisInternals, key, args, signal),
    destroy: () => destroyClient(client),
  };
}

/** Sends a command for `key` to the master. */
function sendCommand(client: NodeRedisInternals, key: string, args: string[], signal?: AbortSignal): Promise<unknown> {
  const options: CommandOptions = { typeMapping: BYTES_TYPE_MAPPING, ...(signal && { abortSignal: signal }) };
  // Never to a replica, which may be behind.
  if (isCluster(client)) return client.sendCommand(key, false, args, options);
  if (isSentinel(client)) return client.sendCommand(false, args, options);
  return client.sendCommand(args, options);
}

function destroyClient(client: NodeRedisClientLike): void {
  try {
    // Asynchronous for Sentinel.
    void Promise.resolve(client.destroy()).catch(() => undefined);
  } catch {
    // It is closed already.
  }
}

function describeAddress(client: NodeRedisInternals): string {
  if (isSentinel(client)) {
    const [first] = client.identity?.id?.split('/') ?? [];
    return `redis-sentinel://${first ?? 'sentinel'}/0`;
  }
  const scheme = usesTls(client) ? 'rediss' : 'redis';
  if (!isCluster(client)) return `${scheme}://${formatNode(client.options)}/${client.options?.database ?? 0}`;
  return `${scheme}://${(client._options?.rootNodes ?? []).map(formatNode).join(',') || 'cluster'}/0`;
}

function usesTls({ options, _options }: NodeRedisInternals): boolean {
  return [options, _options?.defaults, ...(_options?.rootNodes ?? [])].some(
    (node) => node?.socket?.tls === true || /^rediss:/i.test(node?.url ?? ''),
  );
}

function formatNode({ url, socket }: ClientOptions = {}): string {
  if (url !== undefined && URL.canParse(url) && new URL(url).host !== '') {
    const { hostname, port } = new URL(url);
    return `${hostname}:${port || 6379}`;
  }
  if (socket?.path !== undefined) return socket.path;
  return formatHost(socket?.host ?? 'localhost', socket?.port ?? 6379);
}

function isCluster(client: NodeRedisInternals): boolean {
  return client.masters !== undefined;
}

function isSentinel(client: NodeRedisInternals): boolean {
  return client.getSentinelNode !== undefined;
}
