import type { IncomingMessage } from 'node:http';
import type { PolicyRequest } from '../../policy/request-path.js';
import type { Clock } from '../../utils/clock.js';
import type { Announcer } from '../announcer.js';
import type { Answer, RawResponse } from '../answer.js';
import type { SharedEndpoints } from '../shared-endpoints.js';
import type { MaintenanceMiddleware } from '../maintenance.middleware.js';
import type { AnswerableRequest } from '../responder.js';
import type { RequestTrackingDeps } from '../../drain/request-in-flight.js';
import type { RoutedHandlers } from '../routed-handlers.js';

/** The methods of Nest's adapters that register a route. */
export const ROUTE_METHODS = [
  ...['get', 'post', 'head', 'delete', 'put', 'patch', 'options', 'all'],
  ...['search', 'query', 'propfind', 'proppatch', 'mkcol', 'copy', 'move', 'lock', 'unlock'],
];

/** What the module needs of an HTTP adapter beyond what Nest's adapters have in common. */
export interface HttpBridge {
  /** Hooks into the adapter; called as soon as there is one, before `main.ts` goes on. */
  attach(): void;
  /** Puts the edge at this place of the order in which requests are handled, unless it has one already. */
  installMiddleware(): void;
  /** Node's response behind the framework's. */
  getRawResponse(response: unknown): RawResponse;
  /** Node's request as the policy looks at it, the client's address by the adapter's trust-proxy setting. */
  toPolicyRequest(raw: IncomingMessage): PolicyRequest & AnswerableRequest;
  /** Returns the request with the URL that the router was given, where the framework has cut off a part of it since. */
  restoreUrl?<T extends PolicyRequest>(request: T): T;
  /** Ends a request with the answer. */
  send(response: unknown, answer: Answer): void;
}

/** What a bridge is made with. */
export interface HttpBridgeDeps {
  /** `null`: the application does without. */
  middleware: MaintenanceMiddleware | null;
  handlers: RoutedHandlers;
  endpoints: SharedEndpoints;
  announcer: Announcer;
  /** The members that views see, made anew for each request. */
  viewLocals: PropertyDescriptorMap;
  /** What counts requests until they are answered. */
  tracking: RequestTrackingDeps;
  clock: Clock;
}

/** Returns a request like the given one, with another URL. */
export function copyWithUrl<T extends PolicyRequest>(request: T, url: string): T {
  return Object.create(request, { url: { value: url, enumerable: true } }) as T;
}

/** A request of which nobody knows more than Node: the client is who is at the other end of the socket. */
export function toPlainRequest(raw: IncomingMessage): PolicyRequest & AnswerableRequest {
  const { method = 'GET', url = '/', headers, socket } = raw;
  return { method, url, headers, host: headers.host, ip: socket.remoteAddress };
}
