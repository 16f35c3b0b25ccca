import type { RpcServerInternals } from '../../nest-internals.js';

/** The members of Nest's microservice servers that are used here. Custom strategies lack the optional ones. */
export interface RpcServer extends RpcServerInternals<RpcCallback> {
  /** One of Nest's transports; a custom strategy has another id, or none. */
  readonly transportId?: unknown;
  addHandler(pattern: unknown, callback: RpcCallback, isEventHandler?: boolean, extras?: unknown): unknown;
  listen(...args: unknown[]): unknown;
}

/** A handler as Nest adds it to a server. */
export interface RpcCallback {
  (...args: unknown[]): unknown;
  /** The next handler of the same event. */
  next?: RpcCallback;
}
