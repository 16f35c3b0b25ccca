import type { IncomingMessage, ServerResponse } from 'node:http';
import { AbstractHttpAdapter } from '@nestjs/core';
import type { NextFunction, Request, Response } from 'express';
import vary from 'vary';
import type { ExpressAdapterInternals, ExpressApplicationInternals, ExpressLayer } from '../../nest-internals.js';
import type { HandlerRules } from '../../policy/handler-rules.js';
import { getPath, stripOrigin, type PolicyRequest } from '../../policy/request-path.js';
import { ANNOUNCEMENT_HEADER } from '../announcer.js';
import type { Answer, RawResponse } from '../answer.js';
import { deferToMicrotask, type MaintenanceMiddleware, type HttpExchange } from '../maintenance.middleware.js';
import { withJsonExample } from '../json-example.js';
import type { AnswerableRequest } from '../responder.js';
import { trackHandlerResult, trackRequest, type RequestAccessors } from '../../drain/request-in-flight.js';
import type { ResolvedHandlers } from '../routed-handlers.js';
import { ROUTE_METHODS, copyWithUrl, type HttpBridgeDeps, type HttpBridge } from './http-bridge.interface.js';
import { LazyExpressRequest } from './lazy-express-request.js';

type Handler = (request: Request, response: Response, next: NextFunction) => unknown;

/** A request in an application that another one has mounted at a path. */
interface MountedRequest {
  baseUrl?: string;
  [mount: symbol]: string | undefined;
}
/** What the router needs of a request to match it. */
type Routable = Pick<Request, 'path' | 'method'>;

/** A request target whose path Express reads as it stands. */
const PLAIN_TARGET = /^\/[\x21\x22\x24-\x7e]*$/;
const RESPONSE_WRITE_METHODS = ['writeHead', 'end', 'write', 'setHeader'];

/** Express: the edge is a middleware, its place is before the body parsers. */
export class ExpressBridge implements HttpBridge {
  /** The middleware that is the edge; `null` as long as it has no place. */
  #maintenanceMiddleware: Handler | null = null;
  /** What Nest registered as middleware. */
  readonly #middleware = new WeakSet<object>();
  /** Marks a request with the path at which another application has mounted this one. */
  readonly #mountPathKey = Symbol('nestjs-maintenance:mount-path');

  constructor(
    private readonly adapter: AbstractHttpAdapter,
    private readonly deps: HttpBridgeDeps,
  ) {}

  attach(): void {
    const { adapter, deps: parts } = this;
    Object.defineProperties(adapter.getInstance<ExpressApplicationInternals>().locals, parts.viewLocals);
    parts.endpoints.hasLooseMatching = true;
    this.#trackHandlers();
    const registerParserMiddleware = adapter.registerParserMiddleware?.bind(adapter);
    adapter.registerParserMiddleware = (...args: [string?, boolean?]) => {
      this.installMiddleware();
      registerParserMiddleware?.(...args);
      this.#explainParserErrors();
    };
    this.#patchAppHandle();
    if (!parts.middleware) return;
    this.#recordMiddleware();
    this.#wrapNotFoundHandler();
  }

  installMiddleware(): void {
    const { middleware: edge } = this.deps;
    if (!edge || this.#maintenanceMiddleware) return;
    this.#maintenanceMiddleware = (request, response, next) => {
      this.#setAnnouncementHeader(response);
      if (edge.isIdle) next();
      else edge.handle(this.#createExchange(request, response, next), this.#resolveHandlers(request));
    };
    this.adapter.use(this.#maintenanceMiddleware);
  }

  #setAnnouncementHeader(response: ServerResponse): void {
    const { header } = this.deps.announcer;
    if (header !== null) response.setHeader(ANNOUNCEMENT_HEADER, header);
  }

  getRawResponse(response: unknown): RawResponse {
    return response as Response;
  }

  toPolicyRequest(raw: IncomingMessage): PolicyRequest & AnswerableRequest {
    const app = this.adapter.getInstance<{ request: object }>();
    // Express gives its requests their getters by their prototype, and finds its settings by `app`.
    const request = Object.create(app.request) as PolicyRequest & AnswerableRequest;
    const { method = 'GET', url = '/', headers, socket } = raw;
    return Object.assign(request, { method, url, originalUrl: url, headers, socket, connection: socket, app });
  }

  restoreUrl<T extends PolicyRequest>(request: T): T {
    const { baseUrl = '', [this.#mountPathKey]: mountPath = '' } = request as T & MountedRequest;
    // Where a router is mounted, Express moves that part of the URL to `baseUrl` until the router is done.
    if (baseUrl.length <= mountPath.length) return request;
    return copyWithUrl(request, baseUrl.slice(mountPath.length) + stripOrigin(request.url));
  }

  send(response: unknown, { status, headers, body }: Answer): void {
    const raw = response as ServerResponse;
    if (raw.headersSent) return;
    raw.statusCode = status;
    for (const [name, value] of Object.entries(headers)) raw.setHeader(name, value);
    raw.setHeader('Content-Length', body.length);
    raw.end(body);
  }

  // Express makes requests and responses slow to touch, and that is most of what a small answer costs.
  #patchAppHandle(): void {
    const { middleware: edge, tracking } = this.deps;
    const lens: RequestAccessors<Request> = {
      getOriginalRequest: (request) => this.#getOriginalRequest(request),
      resolveHandlers: (request) => this.#resolveHandlers(this.#getOriginalRequest(request)),
      getRoutePattern: (request) => this.#getRoutePattern(this.#getOriginalRequest(request)),
    };
    const app = this.adapter.getInstance<ExpressApplicationInternals>();
    const handle = app.handle.bind(app);
    app.handle = (request, response, done) => {
      const mounted = request as object as MountedRequest;
      if (mounted.baseUrl) mounted[this.#mountPathKey] = mounted.baseUrl;
      // Where nothing stands before the edge, and nothing of the application's own is asked, nobody can tell whether Express has run.
      const isFirst =
        edge &&
        !done &&
        !edge.isIdle &&
        !hasPatchedResponse(response) &&
        app.router.stack[this.#firstLayerIndex]?.handle === this.#maintenanceMiddleware;
      if (isFirst && this.#tryRefuseEarly(edge, app, request, response)) return;
      trackRequest(request as Request, response, lens, tracking);
      handle(request, response, done);
    };
  }

  /** Where the edge stands if nothing of the application's own stands before it. */
  get #firstLayerIndex(): number {
    const { setOnRequestHook, onRequestHook, onResponseHook } = this.adapter as unknown as ExpressAdapterInternals;
    // An adapter that can have hooks runs them in a middleware of its own, which comes before all others.
    if (setOnRequestHook === AbstractHttpAdapter.prototype.setOnRequestHook) return 0;
    return onRequestHook || onResponseHook ? -1 : 1;
  }

  #tryRefuseEarly(
    edge: MaintenanceMiddleware,
    app: ExpressApplicationInternals,
    raw: IncomingMessage,
    response: ServerResponse,
  ): boolean {
    const request = new LazyExpressRequest(raw, this, app);
    const answer = this.#findEarlyAnswer(edge, request);
    if (!answer) return false;
    deferToMicrotask(() => {
      // The server may have other listeners, and nobody catches what is thrown here.
      if (response.headersSent) return;
      if (app.enabled('x-powered-by')) response.setHeader('X-Powered-By', 'Express');
      this.#setAnnouncementHeader(response);
      this.#sendRefusal(response, answer);
    });
    return true;
  }

  #findEarlyAnswer(edge: MaintenanceMiddleware, request: LazyExpressRequest): Answer | null {
    try {
      return edge.findEarlyAnswer(
        request,
        this.#resolveHandlers({ method: request.method, path: this.#getPath(request.url) }),
      );
    } catch {
      // A function of the application's own, such as that for trust proxy. Where Express runs the edge, it answers 500.
      return null;
    }
  }

  #sendRefusal(response: ServerResponse, answer: Answer): void {
    if (response.headersSent) return;
    response.removeHeader('ETag');
    vary(response, 'Accept');
    this.send(response, answer);
  }

  // What the parsers say of a body that makes no sense helps nobody who wants to switch maintenance at night.
  #explainParserErrors(): void {
    this.adapter.use((error: unknown, request: Request, _response: Response, next: NextFunction) => {
      const isParsers = (error as { type?: unknown } | null)?.type === 'entity.parse.failed';
      next(isParsers && this.#isAdmin(request) ? withJsonExample(error) : error);
    });
  }

  #recordMiddleware(): void {
    const adapter = this.adapter as unknown as ExpressAdapterInternals;
    const create = adapter.createMiddlewareFactory.bind(adapter);
    adapter.createMiddlewareFactory = (method) => {
      const factory = create(method);
      return (path, callback) => {
        this.#middleware.add(callback);
        return factory(path, callback);
      };
    };
  }

  // A request that the edge let on in doubt, and that no handler took in the end, has nobody else who refuses it.
  #wrapNotFoundHandler(): void {
    const { adapter, deps: parts } = this;
    const setNotFoundHandler = adapter.setNotFoundHandler?.bind(adapter) as
      ((...args: unknown[]) => unknown) | undefined;
    adapter.setNotFoundHandler = (handler: Handler, ...rest: unknown[]) => {
      const refuseFirst: Handler = (request, response, next) => {
        if (!parts.middleware || parts.middleware.isIdle) return handler(request, response, next);
        const whole = this.restoreUrl(request);
        parts.middleware.handleNotFound(this.#createExchange(whole, response, () => handler(request, response, next)));
      };
      return setNotFoundHandler?.(refuseFirst, ...rest);
    };
  }

  #createExchange(request: Request, response: Response, proceed: () => void): HttpExchange {
    return {
      request,
      response,
      proceed,
      send: (answer) => this.send(response, answer),
      ...(!hasPatchedResponse(response) && { refuse: (answer) => this.#sendRefusal(response, answer) }),
    };
  }

  #isAdmin(request: Request): boolean {
    return this.#findMatchingRoutes(request).some(({ stack }) =>
      stack.some(({ handle }) => this.deps.handlers.isAdmin(handle)),
    );
  }

  // A client that goes away ends the connection, and not what the handler does.
  #trackHandlers(): void {
    const { handlers } = this.deps;
    const verbs = this.adapter as unknown as Record<string, ((...args: unknown[]) => unknown) | undefined>;
    for (const verb of ROUTE_METHODS) {
      const register = verbs[verb]?.bind(this.adapter);
      if (!register) continue;
      const noted = (arg: unknown): unknown => {
        const isHandler = typeof arg === 'function' && !this.#middleware.has(arg) && handlers.isRouted(arg);
        return isHandler ? trackHandler(arg as Handler) : arg;
      };
      verbs[verb] = (...args) => register(...args.map(noted));
    }
  }

  /** Returns the request as it came to this application, whatever has been done to it since. */
  #getOriginalRequest(request: Request): PolicyRequest & Routable {
    const { method, originalUrl = request.url, ip, headers } = request;
    const { [this.#mountPathKey]: mountPath = '' } = request as object as MountedRequest;
    const rest = stripOrigin(originalUrl).slice(mountPath.length);
    const url = mountPath === '' ? originalUrl : rest.startsWith('/') ? rest : `/${rest}`;
    return { method, url, path: this.#getPath(url), ip, headers };
  }

  /** Returns the path that Express reads in a request target. */
  #getPath(url: string): string {
    if (PLAIN_TARGET.test(url)) return getPath(url);
    const { request } = this.adapter.getInstance<{ request: object }>();
    return (Object.assign(Object.create(request), { url }) as Request).path;
  }

  #findMatchingRoutes({ path, method }: Routable): NonNullable<ExpressLayer['route']>[] {
    return this.adapter
      .getInstance<ExpressApplicationInternals>()
      .router.stack.filter(
        (layer) => layer.route && acceptsMethod(layer.route.methods, method) && matchesPath(layer, path),
      )
      .map((layer) => layer.route!);
  }

  #getRoutePattern(request: Routable): string | undefined {
    const isRoute = ({ handle }: { handle: object }): boolean => !this.#middleware.has(handle);
    const route = this.#findMatchingRoutes(request).find(({ stack }) => stack.some(isRoute));
    return route && String(route.path);
  }

  #resolveHandlers(request: Routable): ResolvedHandlers {
    const wraps = Boolean(this.adapter.getOnRouteTriggered?.());
    const rules: HandlerRules[] = [];
    for (const { stack } of this.#findMatchingRoutes(request)) {
      // Nest registers middleware for a method as a route: it lets the request on, or answers by itself.
      const handles = stack.map(({ handle }) => handle).filter((handle) => !this.#middleware.has(handle));
      if (handles.length === 0) continue;
      const found = handles.map((handle) => this.deps.handlers.resolveHandlers(handle, wraps));
      if (found.some((route) => route === 'unclear')) return 'unclear';
      // A route that is not of a controller answers by itself.
      if (found.every((route) => route.length === 0)) break;
      rules.push(...(found as HandlerRules[][]).flat());
    }
    return rules;
  }
}

/** Whether somebody has wrapped what writes the answer, and may change it on its way. */
function hasPatchedResponse(response: ServerResponse): boolean {
  return RESPONSE_WRITE_METHODS.some((name) => Object.hasOwn(response, name));
}

function trackHandler(handler: Handler): Handler {
  const noted: Handler = (request, response, next) => trackHandlerResult(response, handler(request, response, next));
  // Who looks for marks on what was registered finds them.
  for (const key of Reflect.getMetadataKeys(handler))
    Reflect.defineMetadata(key, Reflect.getMetadata(key, handler), noted);
  return Object.defineProperties<Handler>(noted, Object.getOwnPropertyDescriptors(handler));
}

function acceptsMethod(methods: Record<string, boolean | undefined>, method: string): boolean {
  return Boolean(methods._all ?? methods[method.toLowerCase()] ?? (method === 'HEAD' && methods.get));
}

function matchesPath(layer: ExpressLayer, path: string): boolean {
  try {
    return Boolean(layer.match(path));
  } catch {
    // A parameter that can't be decoded; the router answers 400 to it, if the request gets that far.
    return false;
  }
}
