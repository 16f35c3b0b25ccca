import type { IncomingMessage } from 'node:http';
import { APOLLO_DRIVER_NAME, type GraphqlDriverInternals } from '../../nest-internals.js';
import type { ExecutedOperation } from './graphql-call-context.js';

/** The name that the options of a driver have for the protocol of today; the older one's subprotocol has it too. */
export const GRAPHQL_WS = 'graphql-ws';

/** What a driver of `@nestjs/graphql` is started with: the path with the global prefix, the context with Nest's additions. */
export interface DriverOptions {
  path: string;
  include?: readonly unknown[];
  plugins?: unknown[];
  context?: (...args: unknown[]) => unknown;
  subscriptions?: Record<string, unknown>;
  installSubscriptionHandlers?: boolean;
}

/** The options of other drivers: Yoga's are named like Apollo's, those of Mercurius are not. */
export interface OtherDriverOptions extends Partial<Pick<DriverOptions, 'installSubscriptionHandlers'>> {
  /** Yoga takes `true`. */
  subscriptions?: unknown;
  subscription?: boolean | { fullWsTransport?: boolean };
}

/** A gateway has the options of its server apart. */
export type StartOptions = DriverOptions | { server: DriverOptions };

/** The part of the server of subscriptions-transport-ws that runs operations. It looks these members up for each of them. */
export interface LegacyServer {
  execute: ExecuteOperation;
  subscribe?: ExecuteOperation;
  /** @returns the parameters of the operation, in a promise or not */
  onOperation?: (message: unknown, params: LegacyParams, socket: LegacySocket) => unknown;
}
export type ExecuteOperation = (args: ExecutedOperation) => unknown;
export interface LegacyParams {
  context?: unknown;
}
export interface LegacySocket {
  upgradeReq: IncomingMessage;
}

/** The part of Apollo Server that is called for each HTTP request, with what makes the context of its operations. */
export interface ExecutingServer {
  executeHTTPGraphQLRequest(request: { context: () => unknown }): Promise<unknown>;
}

/** The driver of a GraphQLModule. */
export interface GraphqlDriver extends GraphqlDriverInternals<LegacyServer> {
  start(options: StartOptions): Promise<void>;
  /** There once it has started. */
  readonly instance: ExecutingServer;
}

/** Whether a driver started with these options serves subscriptions over graphql-ws. */
export function installsGraphqlWs(driver: object, options: DriverOptions): boolean {
  const { subscriptions, installSubscriptionHandlers } = options;
  // The driver goes by the key: also `undefined` installs it.
  if (subscriptions) return GRAPHQL_WS in subscriptions;
  return installSubscriptionHandlers === true && defaultsToGraphqlWs(driver);
}

/**
 * Whether graphql-ws is what the driver serves where the options name no protocol. Only its code says so: that of `@nestjs/apollo` 14
 * does, that of 13 names subscriptions-transport-ws. To name either in its place would install the wrong one.
 */
function defaultsToGraphqlWs(driver: object): boolean {
  for (
    let type = Object.getPrototypeOf(driver) as object | null;
    type;
    type = Object.getPrototypeOf(type) as object | null
  ) {
    const { start } = type as { start?: unknown };
    if (typeof start === 'function' && Function.prototype.toString.call(start).includes(GRAPHQL_WS)) return true;
  }
  return false;
}

/** Whether another driver may execute queries and mutations over WebSockets: Mercurius takes only subscriptions unless it is told to. */
export function executesOverWebSockets(options: OtherDriverOptions): boolean {
  const { subscriptions, installSubscriptionHandlers, subscription } = options;
  if (subscriptions || installSubscriptionHandlers) return true;
  return typeof subscription === 'object' && subscription?.fullWsTransport === true;
}

/** Whether a driver runs Apollo Server; others have plugins of another kind. */
export function isApollo(driver: object): boolean {
  for (let type: object | null = driver; type; type = Object.getPrototypeOf(type) as object | null) {
    if (type.constructor.name === APOLLO_DRIVER_NAME) return true;
  }
  return false;
}
