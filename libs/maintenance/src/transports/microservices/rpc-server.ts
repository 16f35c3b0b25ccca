import type { RpcServerInternals } from '../../nest-internals.js';

/** What is needed of Nest's servers of microservices. Some of it is theirs alone, and not a custom strategy's. */
export interface RpcServer extends RpcServerInternals<RpcCallback> {
  /** One of Nest's transports; a custom strategy has another id, or none. */
  readonly transportId?: unknown;
  addHandler(pattern: unknown, callback: RpcCallback, isEventHandler?: boolean, extras?: unknown): unknown;
  listen(...args: unknown[]): unknown;
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
