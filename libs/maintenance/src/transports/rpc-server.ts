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
  /** Kafka: the offset is committed when this resolves. */
  handleEvent?(pattern: string, packet: unknown, context: object): Promise<unknown>;
}

export type RpcCallback = (...args: unknown[]) => unknown;

/**
 * Puts a function in the place of a method of one object.
 *
 * @param make - gets the method as it was
 * @returns a function that puts the method back
 */
export function replaceMethod<T extends object, K extends keyof T>(
  target: T,
  name: K,
  make: (original: T[K]) => T[K],
): () => void {
  const own = Object.getOwnPropertyDescriptor(target, name);
  const original = target[name] as T[K] & ((...args: never[]) => unknown);
  target[name] = make(original.bind(target) as T[K]);
  return () => {
    if (own) Object.defineProperty(target, name, own);
    else delete target[name];
  };
}
