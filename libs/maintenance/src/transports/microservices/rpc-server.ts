/** What is needed of Nest's servers of microservices. Some of it is theirs alone, and not a custom strategy's. */
export interface RpcServer {
  /** One of Nest's transports; a custom strategy has another id, or none. */
  readonly transportId?: unknown;
  /** RabbitMQ: whether the broker forgets a message as soon as it has sent it. */
  readonly noAck?: boolean;
  addHandler(pattern: unknown, callback: RpcCallback, isEventHandler?: boolean, extras?: unknown): unknown;
  listen(...args: unknown[]): unknown;
  /** RabbitMQ: a message, on its channel. */
  handleMessage?(message: unknown, channel: object): unknown;
  /** gRPC: what serves a method of the service, by its definition. */
  createServiceMethod?(handler: RpcCallback, definition: { responseStream?: boolean }, streaming: unknown): unknown;
  /** Kafka: the offset is committed when this resolves. */
  handleEvent?(pattern: string, packet: unknown, context: object): Promise<unknown>;
}

export interface RpcCallback {
  (...args: unknown[]): unknown;
  /** The next handler of the same event. */
  next?: RpcCallback;
}

/** The server's class. */
export function getServerName(server: RpcServer): string {
  return server.constructor.name;
}

/**
 * Nest hangs the next handler of the same event on what the server has, and looks for it on what it has made itself.
 *
 * @returns `replacement`, which keeps the next handler on the original
 */
export function keepNextHandler(replacement: RpcCallback, original: RpcCallback): RpcCallback {
  return Object.defineProperty(replacement, 'next', {
    get: () => original.next,
    set: (next: RpcCallback) => (original.next = next),
  });
}
