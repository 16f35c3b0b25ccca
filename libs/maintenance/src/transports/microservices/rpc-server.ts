/** The members of Nest's microservice servers that are used here. Custom strategies lack the optional ones. */
export interface RpcServer {
  /** One of Nest's transports; a custom strategy has another id, or none. */
  readonly transportId?: unknown;
  /** RabbitMQ: whether the broker forgets messages as soon as it has sent them. */
  readonly noAck?: boolean;
  addHandler(pattern: unknown, callback: RpcCallback, isEventHandler?: boolean, extras?: unknown): unknown;
  listen(...args: unknown[]): unknown;
  /** RabbitMQ: handles a message of a channel. */
  handleMessage?(message: unknown, channel: object): unknown;
  /** gRPC: creates the function that serves a method, by its definition. */
  createServiceMethod?(handler: RpcCallback, definition: { responseStream?: boolean }, streaming: unknown): unknown;
  /** Kafka: commits the offset when the promise resolves. */
  handleEvent?(pattern: string, packet: unknown, context: object): Promise<unknown>;
}

export interface RpcCallback {
  (...args: unknown[]): unknown;
  /** The next handler of the same event. */
  next?: RpcCallback;
}

/**
 * Makes a replaced handler share `next` with the original: Nest sets the next handler of an event on the handler that
 * the server has, but reads it from the handler that Nest has created.
 *
 * @returns `replacement`
 */
export function keepNextHandler(replacement: RpcCallback, original: RpcCallback): RpcCallback {
  return Object.defineProperty(replacement, 'next', {
    get: () => original.next,
    set: (next: RpcCallback) => (original.next = next),
  });
}
