import type { IncomingMessage, ServerResponse } from 'node:http';
import type { AbstractHttpAdapter } from '@nestjs/core';
import { match } from 'path-to-regexp';
import type { HandlerRules } from '../../policy/handler-rules.js';
import { pathOf, withoutOrigin, type PolicyRequest } from '../../policy/request-path.js';
import { replaceMethod } from '../../utils/patch-method.js';
import { ANNOUNCEMENT } from '../announcer.js';
import type { Answer, RawResponse } from '../answer.js';
import type { EdgeVisitor } from '../edge.js';
import type { AnswerableRequest } from '../responder.js';
import { noteHandling, track, type RequestLens } from '../../drain/request-in-flight.js';
import type { Route } from '../routed-handlers.js';
import { plainRequestOf, VERBS, withUrl, type BridgeParts, type HttpBridge } from './http-bridge.js';

/** Node's request, with what adapters add to it. */
type ConnectRequest = IncomingMessage & { originalUrl?: string; ip?: string };
type ConnectResponse = ServerResponse & { locals?: object | null };
type Handler = (request: ConnectRequest, response: ConnectResponse, next: (error?: unknown) => void) => unknown;
type EdgeRequest = PolicyRequest & AnswerableRequest;
type Verb = (...args: unknown[]) => unknown;

/** A route that Nest has registered. */
interface RegisteredRoute {
  /** `null`: all methods. */
  method: string | null;
  path: string;
  takes: (path: string) => boolean;
  handler: object;
}

/**
 * An adapter whose middleware takes Node's own request and response and a callback, as that of connect does: Nest's `NodeAdapter`. Only
 * what all of them have in common is used: `use()`, the methods that register routes, `setNotFoundHandler()` and `render()`.
 */
export class ConnectBridge implements HttpBridge {
  readonly #routes: RegisteredRoute[] = [];
  #isPlaced = false;

  constructor(
    private readonly adapter: AbstractHttpAdapter,
    private readonly parts: BridgeParts,
  ) {}

  /** Whether an adapter is one of these. */
  static fits(adapter: AbstractHttpAdapter): boolean {
    const instance = adapter.getInstance<{ use?: unknown; handle?: unknown } | undefined>();
    const hasHandle = typeof instance?.handle === 'function' || adapter.getType() === 'node';
    return hasHandle && typeof instance?.use === 'function';
  }

  attach(): void {
    const { adapter, parts } = this;
    parts.endpoints.isLoose = true;
    this.#trackRequests();
    this.#followRoutes();
    this.#addViewLocals();
    const registerParserMiddleware = adapter.registerParserMiddleware?.bind(adapter);
    adapter.registerParserMiddleware = (...args: [string?, boolean?]) => {
      this.placeEdge();
      registerParserMiddleware?.(...args);
    };
    if (parts.edge) this.#guardNotFound();
  }

  placeEdge(): void {
    const { edge, announcer, viewLocals } = this.parts;
    if (!edge || this.#isPlaced) return;
    this.#isPlaced = true;
    const middleware: Handler = (request, response, next) => {
      const { header } = announcer;
      if (header !== null) response.setHeader(ANNOUNCEMENT, header);
      if (edge.isIdle) return next();
      // Views get them by `render()`; what reads the locals by itself asks while maintenance is on.
      if (response.locals) Object.defineProperties(response.locals, viewLocals);
      edge.pass(this.#visitor(request, response, next), this.#routeOf(asSent(request)));
    };
    this.adapter.use(middleware);
  }

  rawResponse(response: unknown): RawResponse {
    return response as ConnectResponse;
  }

  requestOf(raw: IncomingMessage): EdgeRequest {
    return plainRequestOf(raw);
  }

  restoreUrl<T extends PolicyRequest>(request: T): T {
    const { originalUrl = request.url } = request as T & { originalUrl?: string };
    return originalUrl === request.url ? request : withUrl(request, originalUrl);
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
    const { tracking } = this.parts;
    const lens: RequestLens<ConnectRequest> = {
      asSent,
      routeOf: (request) => this.#routeOf(asSent(request)),
      patternOf: (request) => this.#candidates(asSent(request))[0]?.path,
    };
    const middleware: Handler = (request, response, next) => {
      track(request, response, lens, tracking);
      next();
    };
    this.adapter.use(middleware);
  }

  #followRoutes(): void {
    const { handlers } = this.parts;
    const verbs = this.adapter as unknown as Record<string, Verb | undefined>;
    for (const verb of VERBS) {
      const register = verbs[verb]?.bind(this.adapter);
      if (!register) continue;
      const method = verb === 'all' ? null : verb.toUpperCase();
      verbs[verb] = (...args) => {
        const path = typeof args[0] === 'function' ? '/' : args[0];
        const noted = args.map((arg) => {
          if (typeof arg !== 'function' || !handlers.isRouted(arg)) return arg;
          this.#routes.push({ method, path: String(path), takes: createPathTest(path), handler: arg });
          return noting(arg as Handler);
        });
        return register(...noted);
      };
    }
  }

  #addViewLocals(): void {
    const { viewLocals } = this.parts;
    replaceMethod(this.adapter as { render: Verb }, 'render', (render) => (response, view, options) => {
      // Members of these names that the application has stay its own.
      return render(response, view, Object.assign(Object.defineProperties({}, viewLocals), options));
    });
  }

  // A request that the edge passed on in doubt, and that no handler took in the end, is refused here.
  #guardNotFound(): void {
    const { adapter, parts } = this;
    const setNotFoundHandler = adapter.setNotFoundHandler?.bind(adapter) as Verb | undefined;
    adapter.setNotFoundHandler = (handler: Handler, ...rest: unknown[]) => {
      const refuseFirst: Handler = (request, response, next) => {
        if (!parts.edge || parts.edge.isIdle) return handler(request, response, next);
        parts.edge.passUnrouted(this.#visitor(request, response, () => handler(request, response, next)));
      };
      return setNotFoundHandler?.(refuseFirst, ...rest);
    };
  }

  #visitor(request: ConnectRequest, response: ConnectResponse, proceed: () => void): EdgeVisitor {
    return { request: asSent(request), response, proceed, send: (answer) => this.send(response, answer) };
  }

  #routeOf(request: Pick<PolicyRequest, 'method' | 'url'>): Route {
    const wraps = Boolean(this.adapter.getOnRouteTriggered?.());
    const rules: HandlerRules[] = [];
    for (const { handler } of this.#candidates(request)) {
      const route = this.parts.handlers.routeOf(handler, wraps);
      if (route === 'unclear') return route;
      rules.push(...route);
    }
    return rules;
  }

  /**
   * Returns every route that might take the request: which of them does, only the adapter's router knows. Where they are decided
   * differently, the edge leaves it to the guard.
   */
  #candidates({ method, url }: Pick<PolicyRequest, 'method' | 'url'>): RegisteredRoute[] {
    const sent = pathOf(withoutOrigin(url)) || '/';
    const decoded = decode(sent);
    const isFor = (route: RegisteredRoute): boolean =>
      route.method === null || route.method === method || (method === 'HEAD' && route.method === 'GET');
    return this.#routes.filter((route) => isFor(route) && (route.takes(sent) || route.takes(decoded)));
  }
}

/** The request as it came: where something is mounted, routers take a part of the URL away for a time. */
function asSent(request: ConnectRequest): EdgeRequest {
  const url = request.originalUrl ?? request.url ?? '/';
  const ip = request.ip ?? request.socket.remoteAddress;
  return Object.create(request, {
    url: { value: url, enumerable: true },
    ip: { value: ip, enumerable: true },
    host: { value: request.headers.host, enumerable: true },
  }) as EdgeRequest;
}

/** Tests as generously as any router that reads Nest's syntax. What is no path in it may take everything. */
function createPathTest(path: unknown): (path: string) => boolean {
  if (typeof path !== 'string') return () => true;
  try {
    const test = match(path.replace(/(?<=.)\/+$/, ''), { decode: false });
    return (asked) => test(asked) !== false;
  } catch {
    return () => true;
  }
}

// What can't be decoded reaches no handler but by its encoded form.
function decode(path: string): string {
  try {
    return decodeURIComponent(path);
  } catch {
    return path;
  }
}

// A client that goes away ends the connection, and not what the handler does.
function noting(handler: Handler): Handler {
  const noted: Handler = (request, response, next) => noteHandling(response, handler(request, response, next));
  // What looks for marks on what was registered finds them.
  for (const key of Reflect.getMetadataKeys(handler))
    Reflect.defineMetadata(key, Reflect.getMetadata(key, handler), noted);
  return Object.defineProperties<Handler>(noted, Object.getOwnPropertyDescriptors(handler));
}
