import type { IncomingMessage, ServerResponse } from 'node:http';
import type { AbstractHttpAdapter } from '@nestjs/core';
import { match } from 'path-to-regexp';
import type { HandlerRules } from '../../policy/handler-rules.js';
import { getPath, stripOrigin, type PolicyRequest } from '../../policy/request-path.js';
import { patchMethod } from '../../utils/patch-method.js';
import { ANNOUNCEMENT_HEADER } from '../announcer.js';
import type { Answer, RawResponse } from '../answer.js';
import type { HttpExchange } from '../maintenance.middleware.js';
import type { AnswerableRequest } from '../responder.js';
import { trackHandlerResult, trackRequest, type RequestAccessors } from '../../drain/request-in-flight.js';
import type { ResolvedHandlers } from '../routed-handlers.js';
import {
  toPlainRequest,
  ROUTE_METHODS,
  copyWithUrl,
  type HttpBridgeDeps,
  type HttpBridge,
} from './http-bridge.interface.js';

/** Node's request, with what adapters add to it. */
type ConnectRequest = IncomingMessage & { originalUrl?: string; ip?: string };
type ConnectResponse = ServerResponse & { locals?: object | null };
type Handler = (request: ConnectRequest, response: ConnectResponse, next: (error?: unknown) => void) => unknown;
type MiddlewareRequest = PolicyRequest & AnswerableRequest;
type RegisterRoute = (...args: unknown[]) => unknown;

/** A route that Nest has registered. */
interface RegisteredRoute {
  /** `null`: all methods. */
  method: string | null;
  path: string;
  matchesPath: (path: string) => boolean;
  handler: object;
}

/**
 * An adapter whose middleware takes Node's own request and response and a callback, as that of connect does: Nest's `NodeAdapter`. Only
 * what all of them have in common is used: `use()`, the methods that register routes, `setNotFoundHandler()` and `render()`.
 */
export class ConnectBridge implements HttpBridge {
  readonly #routes: RegisteredRoute[] = [];
  #isMiddlewareInstalled = false;

  constructor(
    private readonly adapter: AbstractHttpAdapter,
    private readonly deps: HttpBridgeDeps,
  ) {}

  /** Whether an adapter is one of these. */
  static supports(adapter: AbstractHttpAdapter): boolean {
    const instance = adapter.getInstance<{ use?: unknown; handle?: unknown } | undefined>();
    const hasHandle = typeof instance?.handle === 'function' || adapter.getType() === 'node';
    return hasHandle && typeof instance?.use === 'function';
  }

  attach(): void {
    const { adapter, deps: parts } = this;
    parts.endpoints.hasLooseMatching = true;
    this.#trackRequests();
    this.#recordRoutes();
    this.#addViewLocals();
    const registerParserMiddleware = adapter.registerParserMiddleware?.bind(adapter);
    adapter.registerParserMiddleware = (...args: [string?, boolean?]) => {
      this.installMiddleware();
      registerParserMiddleware?.(...args);
    };
    if (parts.middleware) this.#wrapNotFoundHandler();
  }

  installMiddleware(): void {
    const { middleware: edge, announcer, viewLocals } = this.deps;
    if (!edge || this.#isMiddlewareInstalled) return;
    this.#isMiddlewareInstalled = true;
    const middleware: Handler = (request, response, next) => {
      const { header } = announcer;
      if (header !== null) response.setHeader(ANNOUNCEMENT_HEADER, header);
      if (edge.isIdle) return next();
      // Views get them by `render()`; what reads the locals by itself asks while maintenance is on.
      if (response.locals) Object.defineProperties(response.locals, viewLocals);
      edge.handle(this.#createExchange(request, response, next), this.#resolveHandlers(getOriginalRequest(request)));
    };
    this.adapter.use(middleware);
  }

  getRawResponse(response: unknown): RawResponse {
    return response as ConnectResponse;
  }

  toPolicyRequest(raw: IncomingMessage): MiddlewareRequest {
    return toPlainRequest(raw);
  }

  restoreUrl<T extends PolicyRequest>(request: T): T {
    const { originalUrl = request.url } = request as T & { originalUrl?: string };
    return originalUrl === request.url ? request : copyWithUrl(request, originalUrl);
  }

  send(response: unknown, { status, headers, body }: Answer): void {
    const raw = response as ConnectResponse;
    if (raw.headersSent) return;
    raw.statusCode = status;
    for (const [name, value] of Object.entries(headers)) raw.setHeader(name, value);
    raw.setHeader('Content-Length', body.length);
    raw.end(body);
  }

  /** Registers the first middleware of all. */
  #trackRequests(): void {
    const { tracking } = this.deps;
    const lens: RequestAccessors<ConnectRequest> = {
      getOriginalRequest: getOriginalRequest,
      resolveHandlers: (request) => this.#resolveHandlers(getOriginalRequest(request)),
      getRoutePattern: (request) => this.#findCandidateRoutes(getOriginalRequest(request))[0]?.path,
    };
    const middleware: Handler = (request, response, next) => {
      trackRequest(request, response, lens, tracking);
      next();
    };
    this.adapter.use(middleware);
  }

  #recordRoutes(): void {
    const { handlers } = this.deps;
    const verbs = this.adapter as unknown as Record<string, RegisterRoute | undefined>;
    for (const verb of ROUTE_METHODS) {
      const register = verbs[verb]?.bind(this.adapter);
      if (!register) continue;
      const method = verb === 'all' ? null : verb.toUpperCase();
      verbs[verb] = (...args) => {
        const path = typeof args[0] === 'function' ? '/' : args[0];
        const noted = args.map((arg) => {
          if (typeof arg !== 'function' || !handlers.isRouted(arg)) return arg;
          this.#routes.push({ method, path: String(path), matchesPath: createPathMatcher(path), handler: arg });
          return trackHandler(arg as Handler);
        });
        return register(...noted);
      };
    }
  }

  #addViewLocals(): void {
    const { viewLocals } = this.deps;
    patchMethod(this.adapter as { render: RegisterRoute }, 'render', (render) => (response, view, options) => {
      // Members of these names that the application has stay its own.
      return render(response, view, Object.assign(Object.defineProperties({}, viewLocals), options));
    });
  }

  // A request that the edge passed on in doubt, and that no handler took in the end, is refused here.
  #wrapNotFoundHandler(): void {
    const { adapter, deps: parts } = this;
    const setNotFoundHandler = adapter.setNotFoundHandler?.bind(adapter) as RegisterRoute | undefined;
    adapter.setNotFoundHandler = (handler: Handler, ...rest: unknown[]) => {
      const refuseFirst: Handler = (request, response, next) => {
        if (!parts.middleware || parts.middleware.isIdle) return handler(request, response, next);
        parts.middleware.handleNotFound(
          this.#createExchange(request, response, () => handler(request, response, next)),
        );
      };
      return setNotFoundHandler?.(refuseFirst, ...rest);
    };
  }

  #createExchange(request: ConnectRequest, response: ConnectResponse, proceed: () => void): HttpExchange {
    return { request: getOriginalRequest(request), response, proceed, send: (answer) => this.send(response, answer) };
  }

  #resolveHandlers(request: Pick<PolicyRequest, 'method' | 'url'>): ResolvedHandlers {
    const wraps = Boolean(this.adapter.getOnRouteTriggered?.());
    const rules: HandlerRules[] = [];
    for (const { handler } of this.#findCandidateRoutes(request)) {
      const route = this.deps.handlers.resolveHandlers(handler, wraps);
      if (route === 'unclear') return route;
      rules.push(...route);
    }
    return rules;
  }

  /**
   * Returns every route that might take the request: which of them does, only the adapter's router knows. Where they are decided
   * differently, the edge leaves it to the guard.
   */
  #findCandidateRoutes({ method, url }: Pick<PolicyRequest, 'method' | 'url'>): RegisteredRoute[] {
    const sent = getPath(stripOrigin(url)) || '/';
    const decoded = decodePath(sent);
    const isFor = (route: RegisteredRoute): boolean =>
      route.method === null || route.method === method || (method === 'HEAD' && route.method === 'GET');
    return this.#routes.filter((route) => isFor(route) && (route.matchesPath(sent) || route.matchesPath(decoded)));
  }
}

/** The request as it came: where something is mounted, routers take a part of the URL away for a time. */
function getOriginalRequest(request: ConnectRequest): MiddlewareRequest {
  const url = request.originalUrl ?? request.url ?? '/';
  const ip = request.ip ?? request.socket.remoteAddress;
  return Object.create(request, {
    url: { value: url, enumerable: true },
    ip: { value: ip, enumerable: true },
    host: { value: request.headers.host, enumerable: true },
  }) as MiddlewareRequest;
}

/** Tests as generously as any router that reads Nest's syntax. What is no path in it may take everything. */
function createPathMatcher(path: unknown): (path: string) => boolean {
  if (typeof path !== 'string') return () => true;
  try {
    const test = match(path.replace(/(?<=.)\/+$/, ''), { decode: false });
    return (asked) => test(asked) !== false;
  } catch {
    return () => true;
  }
}

// What can't be decoded reaches no handler but by its encoded form.
function decodePath(path: string): string {
  try {
    return decodeURIComponent(path);
  } catch {
    return path;
  }
}

// A client that goes away ends the connection, and not what the handler does.
function trackHandler(handler: Handler): Handler {
  const noted: Handler = (request, response, next) => trackHandlerResult(response, handler(request, response, next));
  // What looks for marks on what was registered finds them.
  for (const key of Reflect.getMetadataKeys(handler))
    Reflect.defineMetadata(key, Reflect.getMetadata(key, handler), noted);
  return Object.defineProperties<Handler>(noted, Object.getOwnPropertyDescriptors(handler));
}
