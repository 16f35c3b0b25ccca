import type { IncomingMessage } from 'node:http';
import { APOLLO_DRIVER_NAME, START_DRIVER_METHOD, type GraphqlDriverInternals } from '../../nest-internals.js';
import type { Class } from '../../utils/discovery.js';
import type { ExecutedOperation } from './graphql-call-context.js';

/** The key of the current protocol in the options of a driver. The subprotocol of the older one has the same name. */
export const GRAPHQL_WS = 'graphql-ws';

/** The options with which `@nestjs/graphql` starts a driver: the path has the global prefix. */
export interface DriverOptions {
  path: string;
  include?: readonly Class[];
  plugins?: unknown[];
  context?: (...args: unknown[]) => unknown;
  subscriptions?: Record<string, unknown>;
  installSubscriptionHandlers?: boolean;
}

/** The options of other drivers: those of Yoga have the names of Apollo's, those of Mercurius do not. */
export interface OtherDriverOptions extends Partial<Pick<DriverOptions, 'installSubscriptionHandlers'>> {
  /** Yoga takes `true`. */
  subscriptions?: unknown;
  subscription?: boolean | { fullWsTransport?: boolean };
}

/** The options of a driver; those of a federation gateway are in `server`. */
export type StartOptions = DriverOptions | { server: DriverOptions };

/** The members of the server of subscriptions-transport-ws that it looks up for each operation. */
export interface LegacyServer {
  execute: ExecuteOperation;
  subscribe?: ExecuteOperation;
  /** @returns the parameters of the operation, or a promise of them */
  onOperation?: (message: unknown, params: LegacyParams, socket: LegacySocket) => unknown;
}

/** Executes an operation, or subscribes to it. */
export type ExecuteOperation = (args: ExecutedOperation) => unknown;

/** The parameters of an operation. */
export interface LegacyParams {
  context?: unknown;
}

/** A socket of subscriptions-transport-ws. */
export interface LegacySocket {
  /** The request that opened the socket. */
  upgradeReq: IncomingMessage;
}

/** The method of Apollo Server that executes an HTTP request; `context` creates the context of its operations. */
export interface ExecutingServer {
  executeHTTPGraphQLRequest(request: { context: () => unknown }): Promise<unknown>;
}

/** The driver of a GraphQLModule. */
export interface GraphqlDriver extends GraphqlDriverInternals<LegacyServer> {
  start(options: StartOptions): Promise<void>;
  /** Set once the driver has started. */
  readonly instance: ExecutingServer;
}

/** Whether a driver started with these options serves subscriptions over graphql-ws. */
export function installsGraphqlWs(driver: object, options: DriverOptions): boolean {
  const { subscriptions, installSubscriptionHandlers } = options;
  // The driver checks the key: it installs graphql-ws even if the value is `undefined`.
  if (subscriptions) return GRAPHQL_WS in subscriptions;
  return installSubscriptionHandlers === true && defaultsToGraphqlWs(driver);
}

/**
 * Whether the driver serves graphql-ws where the options name no protocol. Only its code tells: `@nestjs/apollo` 14
 * does, and 13 serves subscriptions-transport-ws.
 */
function defaultsToGraphqlWs(driver: object): boolean {
  for (
    let type = Object.getPrototypeOf(driver) as object | null;
    type;
    type = Object.getPrototypeOf(type) as object | null
  ) {
    const start: unknown = Reflect.get(type, START_DRIVER_METHOD);
    if (typeof start === 'function' && Function.prototype.toString.call(start).includes(GRAPHQL_WS)) return true;
  }
  return false;
}

/** Whether another driver may execute queries and mutations over WebSockets; Mercurius does so only if told to. */
export function executesOverWebSockets(options: OtherDriverOptions): boolean {
  const { subscriptions, installSubscriptionHandlers, subscription } = options;
  if (subscriptions || installSubscriptionHandlers) return true;
  return typeof subscription === 'object' && subscription?.fullWsTransport === true;
}

/** Whether a driver runs Apollo Server, and so takes its plugins. */
export function isApollo(driver: object): boolean {
  for (let type: object | null = driver; type; type = Object.getPrototypeOf(type) as object | null) {
    if (type.constructor.name === APOLLO_DRIVER_NAME) return true;
  }
  return false;
}
