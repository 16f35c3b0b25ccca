import type { IoredisInternals } from '../../nest-internals.js';
import { getErrorCode } from '../error-code.js';
import { formatHost } from '../url-parts.js';
import type { CommandClient, IoredisClientLike, ListeningClient, RedisSource } from './redis-client.js';
import { ManagedConnection } from './redis-connection.js';

/** The options of a `Redis` that tell where it connects to. */
interface ServerOptions {
  host?: string;
  port?: number;
  path?: string;
  db?: number;
  tls?: object;
  keyPrefix?: string;
  /** The name of the master that the sentinels watch. */
  name?: string;
  sentinels?: { host?: string; port?: number }[] | null;
}

/** The options of a `Cluster`. */
interface ClusterOptions {
  keyPrefix?: string;
  redisOptions?: ServerOptions;
}

type Client = IoredisClientLike & IoredisInternals<ServerOptions | string | number>;

const CLOSED_STATUSES = new Set(['wait', 'close', 'end', 'disconnecting']);

/** A subscribed connection sends a ping every so many milliseconds. */
const PING_INTERVAL_MS = 3_000;
/** A subscribed connection that does not answer a ping within so many milliseconds counts as dead. */
const PING_TIMEOUT_MS = 2_000;

/**
 * Connects as a client of `ioredis` does, over connections of our own: its own may queue commands without a limit and
 * send them again later, and with `keyPrefix` it can't reach all keys.
 */
export function createIoredisSource(client: IoredisClientLike): RedisSource {
  const original = client as Client;
  const { keyPrefix } = original.options as ServerOptions;
  return {
    address: describeAddress(original),
    hasClient: true,
    keyPrefix: keyPrefix === undefined || keyPrefix === null ? '' : String(keyPrefix),
    createConnection: (timeout) => new ManagedConnection(async () => new OwnClient(original, timeout), timeout),
    createListener: async (timeout) => new Listener(original, timeout),
  };
}

/** A client with the settings of the application's client that never reconnects, queues or repeats. */
class OwnClient implements CommandClient {
  readonly client: Client;
  #lastError: unknown;

  constructor(original: Client, timeout: number) {
    this.client = duplicate(original, timeout);
    // The failed command reports the error; ioredis prints one without a listener.
    this.client.on('error', (error) => (this.#lastError = error));
  }

  get isOpen(): boolean {
    return !CLOSED_STATUSES.has(this.client.status);
  }

  async connect(): Promise<void> {
    await this.client.connect().catch((error: unknown) => {
      throw toPlainError(this.#lastError ?? error);
    });
    // ioredis connects although the server has refused the database.
    if (this.#lastError) throw toPlainError(this.#lastError);
  }

  async sendCommand(_key: string, [command, ...args]: string[]): Promise<unknown> {
    try {
      return await this.client.callBuffer(command!, ...args);
    } catch (error) {
      throw toPlainError(error);
    }
  }

  destroy(): void {
    this.client.disconnect();
  }
}

/** Listens over a connection of its own; in a cluster, to a master that is chosen at random. */
class Listener implements ListeningClient {
  #own: OwnClient;
  #pings: NodeJS.Timeout | undefined;
  #isDestroyed = false;

  constructor(
    original: Client,
    private readonly timeout: number,
  ) {
    this.#own = new OwnClient(original, timeout);
  }

  async listen(channel: string, onMessage: () => void, onEnd: () => void): Promise<void> {
    await this.#own.connect();
    if (this.#own.client.isCluster) await this.#moveToNode();
    const { client } = this.#own;
    client.on('end', onEnd);
    client.on('message', onMessage);
    await client.subscribe(channel);
    this.#pings = setInterval(() => void this.#ping(client), PING_INTERVAL_MS).unref();
    if (this.#isDestroyed) this.destroy();
  }

  destroy(): void {
    this.#isDestroyed = true;
    clearInterval(this.#pings);
    this.#own.destroy();
  }

  /** A cluster client hides whether its subscribed connection is alive. */
  async #moveToNode(): Promise<void> {
    const cluster = this.#own;
    const masters = cluster.client.nodes!('master') as Client[];
    this.#own = new OwnClient(masters[Math.floor(Math.random() * masters.length)]!, this.timeout);
    cluster.destroy();
    await this.#own.connect();
  }

  async #ping(client: Client): Promise<void> {
    const timer = setTimeout(() => client.disconnect(), PING_TIMEOUT_MS).unref();
    await client.ping().catch(() => client.disconnect());
    clearTimeout(timer);
  }
}

function duplicate(original: Client, timeout: number): Client {
  const server = {
    lazyConnect: true,
    keyPrefix: '',
    connectionName: 'nestjs-maintenance',
    connectTimeout: timeout,
    disconnectTimeout: 100,
    sentinelCommandTimeout: timeout,
    role: 'master',
    readOnly: false,
    protocol: 2,
    enableReadyCheck: false,
    enableAutoPipelining: false,
    autoResubscribe: false,
    autoResendUnfulfilledCommands: false,
    failoverDetector: false,
    retryStrategy: null,
    sentinelRetryStrategy: null,
    reconnectOnError: null,
    maxRetriesPerRequest: null,
    monitor: false,
  };
  if (!original.isCluster) return original.duplicate({ ...server, enableOfflineQueue: false }) as Client;
  const cluster = {
    lazyConnect: true,
    keyPrefix: '',
    // Never to a replica, which may be behind.
    scaleReads: 'master',
    enableReadyCheck: false,
    // Otherwise commands fail while a node is being connected.
    enableOfflineQueue: true,
    enableAutoPipelining: false,
    shardedSubscribers: false,
    clusterRetryStrategy: null,
    retryDelayOnFailover: 0,
    retryDelayOnClusterDown: 0,
    slotsRefreshTimeout: timeout,
    redisOptions: { ...(original.options as ClusterOptions).redisOptions, ...server },
  };
  return original.duplicate([], cluster) as Client;
}

/** Leaves out what ioredis adds to its errors: the command with its arguments, such as the password. */
function toPlainError(error: unknown): Error {
  const { lastNodeError } = error as { lastNodeError?: unknown };
  const { message } = (lastNodeError ?? error) as Error;
  const code = getErrorCode(lastNodeError ?? error);
  return Object.assign(new Error(message), code !== undefined && { code });
}

function describeAddress(client: Client): string {
  if (client.isCluster) {
    const { tls } = (client.options as ClusterOptions).redisOptions ?? {};
    const nodes = (client.startupNodes ?? []).map(formatNode).join(',');
    return `redis${tls ? 's' : ''}://${nodes || 'cluster'}/0`;
  }
  const options = client.options as ServerOptions;
  const scheme = options.tls ? 'rediss' : 'redis';
  if (!options.sentinels) return `${scheme}://${options.path ?? formatNode(options)}/${options.db ?? 0}`;
  const sentinels = options.sentinels.map(({ host, port }) => formatNode({ host, port: port ?? 26379 })).join(',');
  return `${scheme}-sentinel://${sentinels}/${options.db ?? 0}?master=${encodeURIComponent(options.name ?? '')}`;
}

/** Formats a node as ioredis takes it: options, a port, or a URL, whose credentials are left out. */
function formatNode(node: ServerOptions | string | number): string {
  if (typeof node === 'object') return formatHost(node.host ?? '127.0.0.1', node.port ?? 6379);
  if (typeof node === 'number' || /^\d+$/.test(node)) return formatHost('127.0.0.1', Number(node));
  const [host = '', port] = node
    .replace(/^rediss?:\/\//i, '')
    .replace(/^.*@/s, '')
    .split(/[/?]/, 1)[0]!
    .split(/:(?=\d+$)/);
  return `${host}:${port ?? 6379}`;
}
