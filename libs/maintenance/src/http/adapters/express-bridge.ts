import type { IncomingMessage, ServerResponse } from 'node:http';
import { AbstractHttpAdapter } from '@nestjs/core';
import type { NextFunction, Request, Response } from 'express';
import vary from 'vary';
import type { HandlerRules } from '../../policy/handler-rules.js';
import { pathOf, withoutOrigin, type PolicyRequest } from '../../policy/request-path.js';
import { ANNOUNCEMENT } from '../announcer.js';
import type { Answer, RawResponse } from '../answer.js';
import { onceHeard, type Edge, type EdgeVisitor } from '../edge.js';
import { explained } from '../json-example.js';
import type { AnswerableRequest } from '../responder.js';
import { noteHandling, track, type RequestLens } from '../../drain/request-in-flight.js';
import type { Route } from '../routed-handlers.js';
import { VERBS, withUrl, type BridgeParts, type HttpBridge } from './http-bridge.js';
import { UnpreparedRequest } from './unprepared-request.js';

/** The parts of Express's router that tell what it would do with a request. */
interface Layer {
  handle: unknown;
  match(path: string): boolean;
  route?: { path: unknown; methods: Record<string, boolean | undefined>; stack: { handle: object }[] };
}
interface ExpressApplication {
  router: { stack: Layer[] };
  handle(request: IncomingMessage, response: ServerResponse, done?: NextFunction): void;
  enabled(setting: string): boolean;
  request: object;
  locals: object;
}
/** What Nest's adapter for Express has beyond its type. */
interface HookedAdapter {
  setOnRequestHook: unknown;
  onRequestHook?: unknown;
  onResponseHook?: unknown;
}
type MiddlewareFactory = (path: string, callback: object) => unknown;
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
const WRITERS = ['writeHead', 'end', 'write', 'setHeader'];

/** Express: the edge is a middleware, its place is before the body parsers. */
export class ExpressBridge implements HttpBridge {
  /** The middleware that is the edge; `null` as long as it has no place. */
  #placed: Handler | null = null;
  /** What Nest registered as middleware. */
  readonly #middleware = new WeakSet<object>();
  /** Marks a request with the path at which another application has mounted this one. */
  readonly #mountPath = Symbol('nestjs-maintenance:mount-path');

  constructor(
    private readonly adapter: AbstractHttpAdapter,
    private readonly parts: BridgeParts,
  ) {}

  attach(): void {
    const { adapter, parts } = this;
    Object.defineProperties(adapter.getInstance<ExpressApplication>().locals, parts.viewLocals);
    parts.endpoints.isLoose = true;
    this.#noteHandlers();
    const registerParserMiddleware = adapter.registerParserMiddleware?.bind(adapter);
    adapter.registerParserMiddleware = (...args: [string?, boolean?]) => {
      this.placeEdge();
      registerParserMiddleware?.(...args);
      this.#explainParserErrors();
    };
    this.#comeBeforeExpress();
    if (!parts.edge) return;
    this.#followMiddleware();
    this.#guardNotFound();
  }

  placeEdge(): void {
    const { edge } = this.parts;
    if (!edge || this.#placed) return;
    this.#placed = (request, response, next) => {
      this.#announce(response);
      if (edge.isIdle) next();
      else edge.pass(this.#visitor(request, response, next), this.#routeOf(request));
    };
    this.adapter.use(this.#placed);
  }

  #announce(response: ServerResponse): void {
    const { header } = this.parts.announcer;
    if (header !== null) response.setHeader(ANNOUNCEMENT, header);
  }

  rawResponse(response: unknown): RawResponse {
    return response as Response;
  }

  requestOf(raw: IncomingMessage): PolicyRequest & AnswerableRequest {
    const app = this.adapter.getInstance<{ request: object }>();
    // Express gives its requests their getters by their prototype, and finds its settings by `app`.
    const request = Object.create(app.request) as PolicyRequest & AnswerableRequest;
    const { method = 'GET', url = '/', headers, socket } = raw;
    return Object.assign(request, { method, url, originalUrl: url, headers, socket, connection: socket, app });
  }

  restoreUrl<T extends PolicyRequest>(request: T): T {
    const { baseUrl = '', [this.#mountPath]: mountPath = '' } = request as T & MountedRequest;
    // Where a router is mounted, Express moves that part of the URL to `baseUrl` until the router is done.
    if (baseUrl.length <= mountPath.length) return request;
    return withUrl(request, baseUrl.slice(mountPath.length) + withoutOrigin(request.url));
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
  #comeBeforeExpress(): void {
    const { edge, tracking } = this.parts;
    const lens: RequestLens<Request> = {
      asSent: (request) => this.#asSent(request),
      routeOf: (request) => this.#routeOf(this.#asSent(request)),
      patternOf: (request) => this.#patternOf(this.#asSent(request)),
    };
    const app = this.adapter.getInstance<ExpressApplication>();
    const handle = app.handle.bind(app);
    app.handle = (request, response, done) => {
      const mounted = request as object as MountedRequest;
      if (mounted.baseUrl) mounted[this.#mountPath] = mounted.baseUrl;
      // Where nothing stands before the edge, and nothing of the application's own is asked, nobody can tell whether Express has run.
      const isFirst =
        edge &&
        !done &&
        !edge.isIdle &&
        !isChangedLater(response) &&
        app.router.stack[this.#firstPlace]?.handle === this.#placed;
      if (isFirst && this.#refuseAtOnce(edge, app, request, response)) return;
      track(request as Request, response, lens, tracking);
      handle(request, response, done);
    };
  }

  /** Where the edge stands if nothing of the application's own stands before it. */
  get #firstPlace(): number {
    const { setOnRequestHook, onRequestHook, onResponseHook } = this.adapter as unknown as HookedAdapter;
    // An adapter that can have hooks runs them in a middleware of its own, which comes before all others.
    if (setOnRequestHook === AbstractHttpAdapter.prototype.setOnRequestHook) return 0;
    return onRequestHook || onResponseHook ? -1 : 1;
  }

  #refuseAtOnce(edge: Edge, app: ExpressApplication, raw: IncomingMessage, response: ServerResponse): boolean {
    const request = new UnpreparedRequest(raw, this, app);
    const answer = this.#foresee(edge, request);
    if (!answer) return false;
    onceHeard(() => {
      // The server may have other listeners, and nobody catches what is thrown here.
      if (response.headersSent) return;
      if (app.enabled('x-powered-by')) response.setHeader('X-Powered-By', 'Express');
      this.#announce(response);
      this.#refuse(response, answer);
    });
    return true;
  }

  #foresee(edge: Edge, request: UnpreparedRequest): Answer | null {
    try {
      return edge.foreseeAnswer(request, this.#routeOf({ method: request.method, path: this.#pathOf(request.url) }));
    } catch {
      // A function of the application's own, such as that for trust proxy. Where Express runs the edge, it answers 500.
      return null;
    }
  }

  #refuse(response: ServerResponse, answer: Answer): void {
    if (response.headersSent) return;
    response.removeHeader('ETag');
    vary(response, 'Accept');
    this.send(response, answer);
  }

  // What the parsers say of a body that makes no sense helps nobody who wants to switch maintenance at night.
  #explainParserErrors(): void {
    this.adapter.use((error: unknown, request: Request, _response: Response, next: NextFunction) => {
      const isParsers = (error as { type?: unknown } | null)?.type === 'entity.parse.failed';
      next(isParsers && this.#isAdmin(request) ? explained(error) : error);
    });
  }

  #followMiddleware(): void {
    const adapter = this.adapter as unknown as { createMiddlewareFactory: (method: number) => MiddlewareFactory };
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
  #guardNotFound(): void {
    const { adapter, parts } = this;
    const setNotFoundHandler = adapter.setNotFoundHandler?.bind(adapter) as
      ((...args: unknown[]) => unknown) | undefined;
    adapter.setNotFoundHandler = (handler: Handler, ...rest: unknown[]) => {
      const refuseFirst: Handler = (request, response, next) => {
        if (!parts.edge || parts.edge.isIdle) return handler(request, response, next);
        const whole = this.restoreUrl(request);
        parts.edge.passUnrouted(this.#visitor(whole, response, () => handler(request, response, next)));
      };
      return setNotFoundHandler?.(refuseFirst, ...rest);
    };
  }

  #visitor(request: Request, response: Response, proceed: () => void): EdgeVisitor {
    return {
      request,
      response,
      proceed,
      send: (answer) => this.send(response, answer),
      ...(!isChangedLater(response) && { refuse: (answer) => this.#refuse(response, answer) }),
    };
  }

  #isAdmin(request: Request): boolean {
    return this.#layersFor(request).some(({ stack }) =>
      stack.some(({ handle }) => this.parts.handlers.isAdmin(handle)),
    );
  }

  // A client that goes away ends the connection, and not what the handler does.
  #noteHandlers(): void {
    const { handlers } = this.parts;
    const verbs = this.adapter as unknown as Record<string, ((...args: unknown[]) => unknown) | undefined>;
    for (const verb of VERBS) {
      const register = verbs[verb]?.bind(this.adapter);
      if (!register) continue;
      const noted = (arg: unknown): unknown => {
        const isHandler = typeof arg === 'function' && !this.#middleware.has(arg) && handlers.isRouted(arg);
        return isHandler ? noting(arg as Handler) : arg;
      };
      verbs[verb] = (...args) => register(...args.map(noted));
    }
  }

  /** Returns the request as it came to this application, whatever has been done to it since. */
  #asSent(request: Request): PolicyRequest & Routable {
    const { method, originalUrl = request.url, ip, headers } = request;
    const { [this.#mountPath]: mountPath = '' } = request as object as MountedRequest;
    const rest = withoutOrigin(originalUrl).slice(mountPath.length);
    const url = mountPath === '' ? originalUrl : rest.startsWith('/') ? rest : `/${rest}`;
    return { method, url, path: this.#pathOf(url), ip, headers };
  }

  /** Returns the path that Express reads in a request target. */
  #pathOf(url: string): string {
    if (PLAIN_TARGET.test(url)) return pathOf(url);
    const { request } = this.adapter.getInstance<{ request: object }>();
    return (Object.assign(Object.create(request), { url }) as Request).path;
  }

  #layersFor({ path, method }: Routable): NonNullable<Layer['route']>[] {
    return this.adapter
      .getInstance<ExpressApplication>()
      .router.stack.filter((layer) => layer.route && takes(layer.route.methods, method) && matches(layer, path))
      .map((layer) => layer.route!);
  }

  #patternOf(request: Routable): string | undefined {
    const isRoute = ({ handle }: { handle: object }): boolean => !this.#middleware.has(handle);
    const route = this.#layersFor(request).find(({ stack }) => stack.some(isRoute));
    return route && String(route.path);
  }

  #routeOf(request: Routable): Route {
    const wraps = Boolean(this.adapter.getOnRouteTriggered?.());
    const rules: HandlerRules[] = [];
    for (const { stack } of this.#layersFor(request)) {
      // Nest registers middleware for a method as a route: it lets the request on, or answers by itself.
      const handles = stack.map(({ handle }) => handle).filter((handle) => !this.#middleware.has(handle));
      if (handles.length === 0) continue;
      const found = handles.map((handle) => this.parts.handlers.routeOf(handle, wraps));
      if (found.some((route) => route === 'unclear')) return 'unclear';
      // A route that is not of a controller answers by itself.
      if (found.every((route) => route.length === 0)) break;
      rules.push(...(found as HandlerRules[][]).flat());
    }
    return rules;
  }
}

/** Whether somebody has wrapped what writes the answer, and may change it on its way. */
function isChangedLater(response: ServerResponse): boolean {
  return WRITERS.some((name) => Object.hasOwn(response, name));
}

function noting(handler: Handler): Handler {
  const noted: Handler = (request, response, next) => noteHandling(response, handler(request, response, next));
  // Who looks for marks on what was registered finds them.
  for (const key of Reflect.getMetadataKeys(handler))
    Reflect.defineMetadata(key, Reflect.getMetadata(key, handler), noted);
  return Object.defineProperties<Handler>(noted, Object.getOwnPropertyDescriptors(handler));
}

function takes(methods: Record<string, boolean | undefined>, method: string): boolean {
  return Boolean(methods._all ?? methods[method.toLowerCase()] ?? (method === 'HEAD' && methods.get));
}

function matches(layer: Layer, path: string): boolean {
  try {
    return layer.match(path);
  } catch {
    // A parameter that can't be decoded; the router answers 400 to it, if the request gets that far.
    return false;
  }
}
