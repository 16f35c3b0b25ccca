import type { IncomingMessage, ServerResponse } from 'node:http';
import type { PolicyRequest } from '../../policy/request-path.js';
import type { Clock } from '../../utils/clock.js';
import type { Announcer } from '../announcer.js';
import type { Answer, RawResponse } from '../answer.js';
import type { SharedEndpoints } from '../shared-endpoints.js';
import type { MaintenanceMiddleware } from '../maintenance.middleware.js';
import type { HttpRequest } from '../http-request.interface.js';
import type { RequestTrackingDeps } from '../../drain/request-in-flight.js';
import type { RoutedHandlers } from '../routed-handlers.js';

/** The methods of Nest's adapters that register a route. */
export const ROUTE_METHODS = [
  ...['get', 'post', 'head', 'delete', 'put', 'patch', 'options', 'all'],
  ...['search', 'query', 'propfind', 'proppatch', 'mkcol', 'copy', 'move', 'lock', 'unlock'],
];

/** Connects the module with one kind of HTTP adapter, for all that Nest's adapters don't have in common. */
export interface HttpBridge {
  /** Hooks into the adapter; called as soon as there is one, before `main.ts` continues. */
  attach(): void;
  /** Installs the middleware behind those that are registered so far, unless it was installed before. */
  installMiddleware(): void;
  /** Returns Node's response behind that of the framework. */
  getRawResponse(response: unknown): RawResponse;
  /** Returns Node's response for the caller to end, where the framework keeps the headers elsewhere or would end it. */
  takeOver?(response: unknown): ServerResponse;
  /** Converts Node's request; the client's address follows the adapter's trust-proxy setting. */
  toPolicyRequest(raw: IncomingMessage): HttpRequest;
  /** Returns the request with the URL that the router got, where the framework has cut off a part of it since. */
  restoreUrl?<T extends PolicyRequest>(request: T): T;
  /** Returns the path of the route that takes a request; `undefined` where there is none. */
  getRoutePattern(request: HttpRequest): string | undefined;
  /** Ends a request with an answer. */
  send(response: unknown, answer: Answer): void;
}

/** The dependencies of every bridge. */
export interface HttpBridgeDeps {
  /** `null`: the application has switched the middleware off. */
  middleware: MaintenanceMiddleware | null;
  handlers: RoutedHandlers;
  hasAdminEndpoints: boolean;
  endpoints: SharedEndpoints;
  announcer: Announcer;
  /** The members that views see. */
  viewLocals: PropertyDescriptorMap;
  /** Tracks requests until they are answered. */
  tracking: RequestTrackingDeps;
  clock: Clock;
}

/** Returns a request like the given one, with another URL. */
export function copyWithUrl<T extends PolicyRequest>(request: T, url: string): T {
  return Object.create(request, { url: { value: url, enumerable: true } }) as T;
}

/** Converts a request of which only Node knows: the client's address is that of the socket. */
export function toPlainRequest(raw: IncomingMessage): HttpRequest {
  const { method = 'GET', url = '/', headers, socket } = raw;
  return { method, url, headers, host: headers.host, ip: socket.remoteAddress };
}
