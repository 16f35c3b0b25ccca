import type { IoredisInternals } from '../../nest-internals.js';
import type { RedisConnection } from './redis-connection.js';

/** The part of the clients of `redis` and of `ioredis` that the storage uses. Our types depend on neither package. */
export type RedisClientLike = NodeRedisClientLike | IoredisClientLike;

/** A client of the `redis` package. `createClient()`, `createCluster()` and `createSentinel()` return one. */
export interface NodeRedisClientLike {
  readonly isOpen: boolean;
  readonly isReady?: boolean;
  connect(): Promise<unknown>;
  destroy(): unknown;
  sendCommand(...args: never[]): Promise<unknown>;
  subscribe(channel: string, listener: (message: string) => void): Promise<unknown>;
  on(event: string, listener: (...args: unknown[]) => void): unknown;
  off(event: string, listener: (...args: unknown[]) => void): unknown;
}

/** A client of the `ioredis` package: a `Redis` or a `Cluster`. */
export interface IoredisClientLike {
  readonly status: string;
  readonly options: object;
  connect(): Promise<unknown>;
  disconnect(): void;
  duplicate(...overrides: never[]): unknown;
}

/** Whether the client is one of `ioredis`. */
export function isIoredis(client: RedisClientLike): client is IoredisClientLike {
  return typeof (client as Partial<IoredisInternals<unknown>>).callBuffer === 'function';
}

/** Whether the client is one of `redis`. */
export function isNodeRedis(client: RedisClientLike): client is NodeRedisClientLike {
  return typeof (client as Partial<NodeRedisClientLike>).sendCommand === 'function' && 'isOpen' in client;
}

/** A connection that sends commands, made by either package. */
export interface CommandClient {
  /** Whether it connects or is connected. A connection that has ended is replaced by another. */
  readonly isOpen: boolean;
  connect(): Promise<unknown>;
  /**
   * Sends a command. Strings in the reply are returned as bytes.
   *
   * @param key - the key that decides on the node of a cluster
   */
  sendCommand(key: string, args: string[], signal?: AbortSignal): Promise<unknown>;
  /** Closes the connection in any state. Never throws. */
  destroy(): void;
}

/** A connection that listens to one channel, made by either package. */
export interface ListeningClient {
  /**
   * Connects and subscribes.
   *
   * @param onMessage - called for each message, and where messages may have been missed
   * @param onEnd - called when the connection has ended: it does not come back
   */
  listen(channel: string, onMessage: () => void, onEnd: () => void): Promise<void>;
  /** Closes the connection in any state. Never throws. */
  destroy(): void;
}

/** Where a storage gets its connections: from a URL, or from a client of the application. */
export interface RedisSource {
  /** Scheme, servers and database as a URL without credentials. */
  readonly address: string;
  /** Whether the application has made the client. */
  readonly hasClient: boolean;
  /** The prefix that the application's client puts before every key. */
  readonly keyPrefix: string;
  createConnection(timeout: number): RedisConnection;
  createListener(timeout: number): Promise<ListeningClient>;
}
