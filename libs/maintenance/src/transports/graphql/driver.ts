import type { IncomingMessage } from 'node:http';
import type { Duplex } from 'node:stream';

/** What a driver of @nestjs/graphql is started with: the path with the global prefix, the context with Nest's additions. */
export interface DriverOptions {
  path: string;
  include?: readonly unknown[];
  plugins?: unknown[];
  context?: (...args: unknown[]) => unknown;
  subscriptions?: Record<string, unknown>;
  installSubscriptionHandlers?: boolean;
}

/** A gateway has the options of its server apart. */
export type StartOptions = DriverOptions | { server: DriverOptions };

/** The part of ws' server that takes over a connection. */
export interface UpgradingServer {
  shouldHandle(request: IncomingMessage): boolean;
  handleUpgrade(request: IncomingMessage, socket: Duplex, head: Buffer, done: (...args: unknown[]) => void): void;
}

/** The part of Apollo Server that is called for each HTTP request, with what makes the context of its operations. */
export interface ExecutingServer {
  executeHTTPGraphQLRequest(request: { context: () => unknown }): Promise<unknown>;
}

/** The driver of a GraphQLModule. */
export interface GraphqlDriver {
  start(options: StartOptions): Promise<void>;
  /** There once it has started. */
  readonly instance: ExecutingServer;
  /** Private, but there is no other way to the servers of its subscriptions: graphql-ws, and the older protocol on Nest 11. */
  readonly _subscriptionService?: { wss?: UpgradingServer; subTransWs?: UpgradingServer };
}

/** Whether a driver runs Apollo Server; others have plugins of another kind. */
export function isApollo(driver: object): boolean {
  for (let type: object | null = driver; type; type = Object.getPrototypeOf(type) as object | null) {
    if (type.constructor.name === 'ApolloBaseDriver') return true;
  }
  return false;
}
