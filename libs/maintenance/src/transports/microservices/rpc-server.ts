import type { RpcServerInternals } from '../../nest-internals.js';

/** The members of Nest's microservice servers that are used here. Custom strategies lack the optional ones. */
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
