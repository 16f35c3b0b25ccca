import type { IncomingMessage, ServerResponse } from 'node:http';
import type { AbstractHttpAdapter } from '@nestjs/core';
import type { NextFunction, Request, Response } from 'express';
import { loadVary } from '../../packages.cjs';
import type { ExpressAdapterInternals, ExpressApplicationInternals, ExpressLayer } from '../../nest-internals.js';
import type { HandlerRules } from '../../policy/handler-rules.js';
import { getPath, stripOrigin, type PolicyRequest } from '../../policy/request-path.js';
import { patchMethod } from '../../utils/patch-method.js';
import { sendAnswer, VARY, type Answer, type RawResponse } from '../answer.js';
import { exposeHeaders } from '../exposed-headers.js';
import type { HttpExchange } from '../maintenance.middleware.js';
import { withJsonExample } from '../json-example.js';
import type { HttpRequest } from '../http-request.interface.js';
import { trackRequest, type RequestAccessors } from '../../drain/request-in-flight.js';
import type { ResolvedHandlers } from '../routed-handlers.js';
import { createMembersEarly } from './express-members.js';
import { ROUTE_METHODS, copyWithUrl, type HttpBridgeDeps, type HttpBridge } from './http-bridge.interface.js';
import { trackHandler } from './track-handler.js';

type Handler = (request: Request, response: Response, next: NextFunction) => unknown;

/** A request in an application that another one has mounted at a path. */
interface MountedRequest {
  baseUrl?: string;
  [mount: symbol]: string | undefined;
}
/** The members of a request that the router matches. */
type Routable = Pick<Request, 'path' | 'method'>;

/** A request target whose path Express reads without parsing it. */
const PLAIN_TARGET = /^\/[\x21\x22\x24-\x7e]*$/;
const RESPONSE_WRITE_METHODS = ['writeHead', 'end', 'write', 'setHeader'];

/** Connects with Express. The maintenance middleware runs before the body parsers of Nest. */
export class ExpressBridge implements HttpBridge {
  #isMiddlewareInstalled = false;
  /** The functions that Nest registered as middleware. */
  readonly #middleware = new WeakSet<object>();
  /** The key of the path at which another application has mounted this one. */
  readonly #mountPathKey = Symbol('nestjs-maintenance:mount-path');

  constructor(
    private readonly adapter: AbstractHttpAdapter,
    private readonly deps: HttpBridgeDeps,
  ) {}

  attach(): void {
    const { adapter, deps } = this;
    Object.defineProperties(adapter.getInstance<ExpressApplicationInternals>().locals, deps.viewLocals);
    deps.endpoints.hasLooseMatching = true;
    this.#trackHandlers();
    const registerParserMiddleware = adapter.registerParserMiddleware?.bind(adapter);
    adapter.registerParserMiddleware = (...args: [string?, boolean?]) => {
      this.installMiddleware();
      registerParserMiddleware?.(...args);
      if (deps.hasAdminEndpoints) this.#explainParserErrors();
    };
    this.#trackRequests();
    if (!deps.middleware) return;
    this.#recordMiddleware();
    this.#wrapNotFoundHandler();
  }

  installMiddleware(): void {
    const { middleware, announcer } = this.deps;
    if (!middleware || this.#isMiddlewareInstalled) return;
    this.#isMiddlewareInstalled = true;
    const handleRequest: Handler = (request, response, next) => {
      announcer.announce(response);
      if (middleware.isIdle) next();
      else middleware.handle(this.#createExchange(request, response, next), this.#resolveHandlers(request));
    };
    this.adapter.use(handleRequest);
  }

  getRawResponse(response: unknown): RawResponse {
    return response as Response;
  }

  toPolicyRequest(raw: IncomingMessage): HttpRequest {
    const app = this.adapter.getInstance<{ request: object }>();
    // Express gives its requests their getters by their prototype, and finds its settings by `app`.
    const request = Object.create(app.request) as HttpRequest;
    const { method = 'GET', url = '/', headers, socket } = raw;
    return Object.assign(request, { method, url, originalUrl: url, headers, socket, connection: socket, app });
  }

  restoreUrl<T extends PolicyRequest>(request: T): T {
    const { baseUrl = '', [this.#mountPathKey]: mountPath = '' } = request as T & MountedRequest;
    // Where a router is mounted, Express moves that part of the URL to `baseUrl` until the router is done.
    if (baseUrl.length <= mountPath.length) return request;
    return copyWithUrl(request, baseUrl.slice(mountPath.length) + stripOrigin(request.url));
  }

  readonly getRoutePattern = (request: HttpRequest): string | undefined => {
    const isRoute = ({ handle }: { handle: object }): boolean => !this.#middleware.has(handle);
    const routes = this.#findMatchingRoutes(this.#getOriginalRequest(request as Request));
    const route = routes.find(({ stack }) => stack.some(isRoute));
    return route && String(route.path);
  };

  send(response: unknown, answer: Answer): void {
    sendAnswer(response as Response, answer);
  }

  // Runs before all middleware: static files and sub-applications may be mounted before ours.
  #trackRequests(): void {
    const { tracking } = this.deps;
    const accessors: RequestAccessors<Request> = {
      getOriginalRequest: (request) => this.#getOriginalRequest(request),
      resolveHandlers: (request) => this.#resolveHandlers(this.#getOriginalRequest(request)),
      getRoutePattern: (request) => this.getRoutePattern(request),
    };
    patchMethod(
      this.adapter.getInstance<ExpressApplicationInternals>(),
      'handle',
      (handle) => (request, response, done) => {
        const mounted = request as object as MountedRequest;
        if (mounted.baseUrl) mounted[this.#mountPathKey] = mounted.baseUrl;
        createMembersEarly(request, response);
        trackRequest(request as Request, response, accessors, tracking);
        handle(request, response, done);
      },
    );
  }

  #sendRefusal(response: ServerResponse, answer: Answer): void {
    if (response.headersSent) return;
    response.removeHeader('ETag');
    exposeHeaders(response);
    const { completeHeaders } = answer;
    if (completeHeaders && !response.hasHeader('Vary'))
      return void response.writeHead(answer.status, completeHeaders).end(answer.body);
    loadVary()(response, VARY);
    sendAnswer(response, answer);
  }

  // The parser's own message does not show an operator what a valid body would be.
  #explainParserErrors(): void {
    this.adapter.use((error: unknown, request: Request, _response: Response, next: NextFunction) => {
      const isParserError = (error as { type?: unknown } | null)?.type === 'entity.parse.failed';
      next(isParserError && this.#isAdmin(request) ? withJsonExample(error) : error);
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

  // The middleware may have passed a request on in doubt, and no handler took it.
  #wrapNotFoundHandler(): void {
    const { adapter, deps } = this;
    const setNotFoundHandler = adapter.setNotFoundHandler?.bind(adapter) as
      ((...args: unknown[]) => unknown) | undefined;
    adapter.setNotFoundHandler = (handler: Handler, ...rest: unknown[]) => {
      const refuseFirst: Handler = (request, response, next) => {
        if (!deps.middleware || deps.middleware.isIdle) return handler(request, response, next);
        const restored = this.restoreUrl(request);
        const proceed = (): void => void handler(request, response, next);
        deps.middleware.handleNotFound(this.#createExchange(restored, response, proceed));
      };
      return setNotFoundHandler?.(refuseFirst, ...rest);
    };
  }

  #createExchange(request: Request, response: Response, proceed: () => void): HttpExchange {
    const send = (answer: Answer): void => this.send(response, answer);
    const sendRefusal = (answer: Answer): void => this.#sendRefusal(response, answer);
    const { getRoutePattern } = this;
    return hasPatchedResponse(response)
      ? { request, response, proceed, getRoutePattern, send }
      : { request, response, proceed, getRoutePattern, send, sendRefusal };
  }

  #isAdmin(request: Request): boolean {
    return this.#findMatchingRoutes(request).some(({ stack }) =>
      stack.some(({ handle }) => this.deps.handlers.isAdmin(handle)),
    );
  }

  #trackHandlers(): void {
    const { handlers } = this.deps;
    const verbs = this.adapter as unknown as Record<string, ((...args: unknown[]) => unknown) | undefined>;
    for (const verb of ROUTE_METHODS) {
      const register = verbs[verb]?.bind(this.adapter);
      if (!register) continue;
      const track = (arg: unknown): unknown => {
        const isHandler = typeof arg === 'function' && !this.#middleware.has(arg) && handlers.isRouted(arg);
        return isHandler ? trackHandler(arg as Handler) : arg;
      };
      verbs[verb] = (...args) => register(...args.map(track));
    }
  }

  /** Returns the request as it arrived at this application, whatever middleware has changed since. */
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
    const verb = method.toLowerCase();
    return this.adapter
      .getInstance<ExpressApplicationInternals>()
      .router.stack.filter(
        (layer) => layer.route && acceptsMethod(layer.route.methods, verb) && matchesPath(layer, path),
      )
      .map((layer) => layer.route!);
  }

  #resolveHandlers(request: Routable): ResolvedHandlers {
    const isWrapping = Boolean(this.adapter.getOnRouteTriggered?.());
    const rules: HandlerRules[] = [];
    for (const { stack } of this.#findMatchingRoutes(request)) {
      // Nest registers middleware of one method as a route.
      const layers = stack.filter(({ handle }) => !this.#middleware.has(handle));
      if (layers.length === 0) continue;
      const known = rules.length;
      for (const { handle } of layers) {
        const handlers = this.deps.handlers.resolveHandlers(handle, isWrapping);
        if (handlers === 'unclear') return handlers;
        rules.push(...handlers);
      }
      // A route outside the controllers answers the request: later routes don't get it.
      if (rules.length === known) break;
    }
    return rules;
  }
}

/** Whether a middleware has wrapped a method that writes the answer, and may change the answer. */
function hasPatchedResponse(response: ServerResponse): boolean {
  return RESPONSE_WRITE_METHODS.some((name) => Object.hasOwn(response, name));
}

function acceptsMethod(methods: Record<string, boolean | undefined>, verb: string): boolean {
  return Boolean(methods._all ?? methods[verb] ?? (verb === 'head' && methods.get));
}

function matchesPath(layer: ExpressLayer, path: string): boolean {
  try {
    return Boolean(layer.match(path));
  } catch {
    // A parameter can't be decoded: the router answers 400 if it gets the request.
    return false;
  }
}
