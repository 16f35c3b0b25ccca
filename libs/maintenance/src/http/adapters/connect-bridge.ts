import type { IncomingMessage, ServerResponse } from 'node:http';
import type { AbstractHttpAdapter } from '@nestjs/core';
import { loadPathToRegexp } from '../../packages.cjs';
import type { HandlerRules } from '../../policy/handler-rules.js';
import { getPath, stripOrigin, type PolicyRequest } from '../../policy/request-path.js';
import { patchMethod } from '../../utils/patch-method.js';
import { sendAnswer, type Answer, type RawResponse } from '../answer.js';
import type { HttpExchange } from '../maintenance.middleware.js';
import type { HttpRequest } from '../http-request.interface.js';
import { trackRequest, type RequestAccessors } from '../../drain/request-in-flight.js';
import type { ResolvedHandlers } from '../routed-handlers.js';
import {
  toPlainRequest,
  ROUTE_METHODS,
  copyWithUrl,
  type HttpBridgeDeps,
  type HttpBridge,
} from './http-bridge.interface.js';
import { trackHandler } from './track-handler.js';

/** Node's request, with the properties that adapters add. */
type ConnectRequest = IncomingMessage & { originalUrl?: string; ip?: string };
type ConnectResponse = ServerResponse & { locals?: object | null };
type Handler = (request: ConnectRequest, response: ConnectResponse, next: (error?: unknown) => void) => unknown;
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
 * Connects with adapters whose middleware takes Node's own request, its response and a callback, as connect does:
 * Nest's `NodeAdapter`. It uses only what all of them have: `use()`, the methods that register routes,
 * `setNotFoundHandler()`, `render()`.
 */
export class ConnectBridge implements HttpBridge {
  readonly #routes: RegisteredRoute[] = [];
  #isMiddlewareInstalled = false;

  constructor(
    private readonly adapter: AbstractHttpAdapter,
    private readonly deps: HttpBridgeDeps,
  ) {}

  /** Whether this bridge can connect with an adapter. */
  static supports(adapter: AbstractHttpAdapter): boolean {
    const instance = adapter.getInstance<{ use?: unknown; handle?: unknown } | undefined>();
    const hasHandle = typeof instance?.handle === 'function' || adapter.getType() === 'node';
    return hasHandle && typeof instance?.use === 'function';
  }

  attach(): void {
    const { adapter, deps } = this;
    deps.endpoints.hasLooseMatching = true;
    this.#trackRequests();
    this.#recordRoutes();
    this.#addViewLocals();
    const registerParserMiddleware = adapter.registerParserMiddleware?.bind(adapter);
    adapter.registerParserMiddleware = (...args: [string?, boolean?]) => {
      this.installMiddleware();
      registerParserMiddleware?.(...args);
    };
    if (deps.middleware) this.#wrapNotFoundHandler();
  }

  installMiddleware(): void {
    const { middleware, announcer, viewLocals } = this.deps;
    if (!middleware || this.#isMiddlewareInstalled) return;
    this.#isMiddlewareInstalled = true;
    const handleRequest: Handler = (request, response, next) => {
      announcer.announce(response);
      if (middleware.isIdle) return next();
      // Views get these members through `render()`. View engines that read the locals themselves need them only
      // during maintenance.
      if (response.locals) Object.defineProperties(response.locals, viewLocals);
      middleware.handle(
        this.#createExchange(request, response, next),
        this.#resolveHandlers(getOriginalRequest(request)),
      );
    };
    this.adapter.use(handleRequest);
  }

  getRawResponse(response: unknown): RawResponse {
    return response as ConnectResponse;
  }

  toPolicyRequest(raw: IncomingMessage): HttpRequest {
    return toPlainRequest(raw);
  }

  restoreUrl<T extends PolicyRequest>(request: T): T {
    const { originalUrl = request.url } = request as T & { originalUrl?: string };
    return originalUrl === request.url ? request : copyWithUrl(request, originalUrl);
  }

  readonly getRoutePattern = (request: HttpRequest & { originalUrl?: string }): string | undefined => {
    const { method, url, originalUrl = url } = request;
    return this.#findCandidateRoutes({ method, url: originalUrl })[0]?.path;
  };

  send(response: unknown, answer: Answer): void {
    sendAnswer(response as ConnectResponse, answer);
  }

  /** Registers the first middleware of the application. */
  #trackRequests(): void {
    const { tracking } = this.deps;
    const accessors: RequestAccessors<ConnectRequest> = {
      getOriginalRequest,
      resolveHandlers: (request) => this.#resolveHandlers(getOriginalRequest(request)),
      getRoutePattern: (request) => this.getRoutePattern(getOriginalRequest(request)),
    };
    const middleware: Handler = (request, response, next) => {
      trackRequest(request, response, accessors, tracking);
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
        const tracked = args.map((arg) => {
          if (typeof arg !== 'function' || !handlers.isRouted(arg)) return arg;
          this.#routes.push({ method, path: String(path), matchesPath: createPathMatcher(path), handler: arg });
          return trackHandler(arg as Handler);
        });
        return register(...tracked);
      };
    }
  }

  #addViewLocals(): void {
    const { viewLocals } = this.deps;
    patchMethod(this.adapter as { render: RegisterRoute }, 'render', (render) => (response, view, options) => {
      // The application's own members of these names win.
      return render(response, view, Object.assign(Object.defineProperties({}, viewLocals), options));
    });
  }

  // The middleware may have passed a request on in doubt, and no handler took it.
  #wrapNotFoundHandler(): void {
    const { adapter, deps } = this;
    const setNotFoundHandler = adapter.setNotFoundHandler?.bind(adapter) as RegisterRoute | undefined;
    adapter.setNotFoundHandler = (handler: Handler, ...rest: unknown[]) => {
      const refuseFirst: Handler = (request, response, next) => {
        if (!deps.middleware || deps.middleware.isIdle) return handler(request, response, next);
        deps.middleware.handleNotFound(this.#createExchange(request, response, () => handler(request, response, next)));
      };
      return setNotFoundHandler?.(refuseFirst, ...rest);
    };
  }

  #createExchange(request: ConnectRequest, response: ConnectResponse, proceed: () => void): HttpExchange {
    const { getRoutePattern } = this;
    const send = (answer: Answer): void => this.send(response, answer);
    return { request: getOriginalRequest(request), response, proceed, getRoutePattern, send };
  }

  #resolveHandlers(request: Pick<PolicyRequest, 'method' | 'url'>): ResolvedHandlers {
    const isWrapping = Boolean(this.adapter.getOnRouteTriggered?.());
    const rules: HandlerRules[] = [];
    for (const { handler } of this.#findCandidateRoutes(request)) {
      const handlers = this.deps.handlers.resolveHandlers(handler, isWrapping);
      if (handlers === 'unclear') return handlers;
      rules.push(...handlers);
    }
    return rules;
  }

  /**
   * Finds every route that might take the request, since only the adapter's router knows which one does. Where they
   * are decided differently, the middleware leaves the decision to the guard.
   */
  #findCandidateRoutes({ method, url }: Pick<PolicyRequest, 'method' | 'url'>): RegisteredRoute[] {
    const sent = getPath(stripOrigin(url)) || '/';
    const decoded = decodePath(sent);
    const isFor = (route: RegisteredRoute): boolean =>
      route.method === null || route.method === method || (method === 'HEAD' && route.method === 'GET');
    return this.#routes.filter((route) => isFor(route) && (route.matchesPath(sent) || route.matchesPath(decoded)));
  }
}

/** Returns the request as it arrived: routers of mounted applications cut off a part of the URL. */
function getOriginalRequest(request: ConnectRequest): HttpRequest {
  const url = request.originalUrl ?? request.url ?? '/';
  const ip = request.ip ?? request.socket.remoteAddress;
  return Object.create(request, {
    url: { value: url, enumerable: true },
    ip: { value: ip, enumerable: true },
    host: { value: request.headers.host, enumerable: true },
  }) as HttpRequest;
}

/**
 * Creates a matcher that accepts what any router of Nest's syntax accepts. A route that can't be parsed may take
 * every path.
 */
function createPathMatcher(path: unknown): (path: string) => boolean {
  if (typeof path !== 'string') return () => true;
  try {
    const test = loadPathToRegexp().match(path.replace(/(?<=.)\/+$/, ''), { decode: false });
    return (asked) => test(asked) !== false;
  } catch {
    return () => true;
  }
}

// A path that can't be decoded can match only in its encoded form.
function decodePath(path: string): string {
  try {
    return decodeURIComponent(path);
  } catch {
    return path;
  }
}
