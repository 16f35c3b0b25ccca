import type { IncomingMessage, ServerResponse } from 'node:http';
import type { AbstractHttpAdapter } from '@nestjs/core';
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { FASTIFY_REQUEST_SYMBOL } from '../../nest-internals.js';
import { patchMethod } from '../../utils/patch-method.js';
import type { PolicyRequest } from '../../policy/request-path.js';
import type { Answer, RawResponse } from '../answer.js';
import type { MaintenanceMiddleware } from '../maintenance.middleware.js';
import { hasBody } from '../has-body.js';
import { withJsonExample } from '../json-example.js';
import type { HttpRequest } from '../http-request.interface.js';
import { trackHandlerResult, trackRequest, type RequestAccessors } from '../../drain/request-in-flight.js';
import { addViewLocals } from '../view-locals.js';
import { NO_HANDLERS, type ResolvedHandlers } from '../routed-handlers.js';
import {
  FastifyExchanges,
  getRoutePattern,
  runHook,
  sendAnswer,
  type Hook,
  type HookedAdapter,
} from './fastify-exchanges.js';
import {
  toPlainRequest,
  ROUTE_METHODS,
  copyWithUrl,
  type HttpBridgeDeps,
  type HttpBridge,
} from './http-bridge.interface.js';

const HANDLERS_KEY = Symbol('nestjs-maintenance:route');
interface MarkedConfig {
  [HANDLERS_KEY]?: ResolvedHandlers;
}
/** Node's request; Fastify and middie keep the URL that they replace in it. */
interface RewrittenRequest {
  url?: string;
  originalUrl?: string;
  [rewritten: symbol]: string | undefined;
}
type Handler = (request: FastifyRequest, reply: FastifyReply) => unknown;
type ErrorHandler = (
  error: { code?: string } | null | undefined,
  request: FastifyRequest,
  reply: FastifyReply,
) => unknown;
type RegisterRoute = (path: string, handler: object) => unknown;

/**
 * Connects with Fastify. The maintenance middleware is the first `onRequest` hook, before Nest's middleware and the
 * hooks of all plugins: a session, a rate limit or a login may need the very database that is being maintained. By
 * then, Fastify's router has chosen the route.
 */
export class FastifyBridge implements HttpBridge {
  /** The route that Nest is registering. */
  #registering: { route: ResolvedHandlers; isAdmin: boolean } | null = null;
  /** The key of the URL that `rewriteUrl` returned, which Fastify's router matches. */
  readonly #rewrittenUrlKey = Symbol('nestjs-maintenance:rewritten-url');

  readonly #exchanges: FastifyExchanges;

  constructor(
    private readonly adapter: AbstractHttpAdapter,
    private readonly deps: HttpBridgeDeps,
  ) {
    this.#exchanges = new FastifyExchanges(adapter, deps.clock);
  }

  attach(): void {
    const { middleware } = this.deps;
    const instance = this.adapter.getInstance<FastifyInstance>();
    this.#markRoutes(instance);
    this.#installOnRequestHook(middleware);
    if (middleware) {
      this.#wrapNotFoundHandler(middleware);
      this.#wrapErrorHandler(middleware);
    }
  }

  /** Does nothing: the hook is always the first. */
  installMiddleware(): void {}

  getRawResponse(response: unknown): RawResponse {
    // Nest's middleware gets Node's response itself.
    return (response as Partial<FastifyReply>).raw ?? (response as RawResponse);
  }

  takeOver(response: unknown): ServerResponse {
    const reply = response as FastifyReply;
    // Nest's middleware gets Node's response itself.
    if (!reply.raw) return response as ServerResponse;
    for (const [name, value] of Object.entries(reply.getHeaders())) {
      if (value !== undefined) reply.raw.setHeader(name, value);
    }
    return reply.hijack().raw;
  }

  send(response: unknown, answer: Answer): void {
    sendAnswer(response as FastifyReply, answer);
  }

  getRoutePattern(request: HttpRequest): string | undefined {
    return getRoutePattern(request);
  }

  restoreUrl<T extends PolicyRequest>(request: T): T {
    const raw = (request as T & { raw?: object }).raw ?? request;
    const { originalUrl, [this.#rewrittenUrlKey]: rewrittenUrl } = raw as RewrittenRequest;
    // While a mounted middleware runs, middie cuts its path off the URL.
    const url = rewrittenUrl ?? originalUrl ?? request.url;
    return url === request.url ? request : copyWithUrl(request, url);
  }

  toPolicyRequest(raw: IncomingMessage): HttpRequest {
    const instance: object = this.adapter.getInstance<FastifyInstance>();
    const symbol = Object.getOwnPropertySymbols(instance).find(
      ({ description }) => description === FASTIFY_REQUEST_SYMBOL,
    );
    type Constructor = new (...args: unknown[]) => FastifyRequest;
    const Request = symbol && (instance as Record<symbol, Constructor>)[symbol];
    // Only Fastify's own class knows the trust-proxy setting.
    return Request ? new Request('', {}, raw, {}, undefined, {}) : toPlainRequest(raw);
  }

  #getHandlers(request: FastifyRequest): ResolvedHandlers {
    if (request.is404) return NO_HANDLERS;
    return (request.routeOptions.config as MarkedConfig)[HANDLERS_KEY] ?? NO_HANDLERS;
  }

  // The adapter's own hook runs before all hooks of Nest and of plugins. The application may set one too.
  #installOnRequestHook(middleware: MaintenanceMiddleware | null): void {
    const adapter = this.adapter as unknown as HookedAdapter;
    const { tracking, clock } = this.deps;
    const accessors: RequestAccessors<FastifyReply> = {
      getOriginalRequest: ({ request }) => this.restoreUrl(request),
      resolveHandlers: ({ request }) => this.#getHandlers(request),
      getRoutePattern: ({ request }) => getRoutePattern(request),
      // Over HTTP/2, Node never delivers a reply to a stream that was reset.
      onAnswered: (reply, answered) =>
        void patchMethod(reply, 'send', (send) => (...args) => {
          answered();
          return send(...args);
        }),
    };
    let applicationHook: Hook = (_request, _reply, done) => done();
    // A refused request is not tracked: it has no handler to wait for.
    const admit = (reply: FastifyReply, now?: number): void => {
      trackRequest(reply, reply.raw, accessors, tracking, now);
      this.#extendLocals(reply);
    };
    const proceed: Hook = (request, reply, done) => {
      admit(reply);
      return applicationHook(request, reply, done);
    };
    const setOnRequestHook = adapter.setOnRequestHook.bind(adapter);
    setOnRequestHook((request, reply, done) => {
      const raw = request.raw as object as RewrittenRequest;
      if (raw.originalUrl !== undefined) raw[this.#rewrittenUrlKey] = raw.url;
      if (middleware) this.deps.announcer.announce(reply.raw);
      const now = clock.now();
      if (!middleware || middleware.isIdleAt(now)) {
        admit(reply, now);
        return applicationHook(request, reply, done);
      }
      const exchange = this.#exchanges.createFirst(request, reply, () => runHook(proceed, request, reply, done));
      const handlers = this.#getHandlers(request);
      if (request.method !== 'OPTIONS') return middleware.handle(exchange, handlers);
      // CORS answers a preflight whatever the decision is.
      exchange.beforeRefusal(() => middleware.handle({ ...exchange, beforeRefusal: undefined }, handlers));
    });
    adapter.setOnRequestHook = (hook) => void (applicationHook = hook);
  }

  /** Adds the members for views to the locals of a reply, which the view engine creates in a later hook. */
  #extendLocals(reply: FastifyReply & { locals?: unknown }): void {
    // A view engine declares the member.
    if (reply.locals === undefined) return;
    const { viewLocals } = this.deps;
    let current: unknown = reply.locals;
    Object.defineProperty(reply, 'locals', {
      get: () => current,
      set: (locals: unknown) => {
        current = locals;
        if (typeof locals === 'object' && locals !== null) addViewLocals(locals, viewLocals);
      },
      enumerable: true,
      configurable: true,
    });
  }

  // Fastify wraps handlers and drops their metadata, so the Nest handlers go into the config of the route.
  #markRoutes(instance: FastifyInstance): void {
    const { handlers } = this.deps;
    const verbs = this.adapter as unknown as Record<string, RegisterRoute | undefined>;
    for (const verb of ROUTE_METHODS) {
      const register = verbs[verb]?.bind(this.adapter);
      if (!register) continue;
      verbs[verb] = (path, handler) => {
        const isWrapping = Boolean(this.adapter.getOnRouteTriggered?.());
        this.#registering = {
          route: handlers.resolveHandlers(handler ?? {}, isWrapping),
          isAdmin: handlers.isAdmin(handler ?? {}),
        };
        try {
          const result = register(path, handler);
          if (this.#registering.isAdmin) ignoreDuplicateRoute(() => register(`${path}/`, handler));
          return result;
        } finally {
          this.#registering = null;
        }
      };
    }
    instance.addHook('onRoute', (options) => {
      const { route, isAdmin } = this.#registering ?? { route: NO_HANDLERS, isAdmin: false };
      if (route.length > 0) {
        options.config = { ...options.config, [HANDLERS_KEY]: route };
        options.handler = this.#trackHandler(options.handler);
      }
      if (!isAdmin) return;
      options.preParsing = [dropContentTypeOfEmptyBody];
      options.errorHandler = explainParserError;
    });
  }

  #trackHandler(handler: Handler): Handler {
    const { middleware } = this.deps;
    const passUnrouted = (request: FastifyRequest, reply: FastifyReply, error: unknown): void =>
      middleware?.handleNotFound(this.#exchanges.create(request, reply, () => void reply.send(error)));
    return function (this: unknown, request, reply) {
      try {
        // A client that disconnects closes the connection, but does not stop the handler.
        return trackHandlerResult(reply.raw, handler.call(this, request, reply));
      } catch (error) {
        // Nest's handlers are asynchronous: only the check of the controller's `host` throws, before any guard.
        if (!middleware || middleware.isIdle) throw error;
        passUnrouted(request, reply, error);
      }
    };
  }

  // Hooks may call it too, before ours has run.
  #wrapNotFoundHandler(middleware: MaintenanceMiddleware): void {
    const { adapter } = this;
    const setNotFoundHandler = adapter.setNotFoundHandler?.bind(adapter) as
      ((...args: unknown[]) => unknown) | undefined;
    adapter.setNotFoundHandler = (handler: Handler, ...rest: unknown[]) => {
      const refuseFirst: Handler = (request, reply) => {
        if (middleware.isIdle) return handler(request, reply);
        middleware.handleNotFound(this.#exchanges.create(request, reply, () => void handler(request, reply)));
      };
      return setNotFoundHandler?.(refuseFirst, ...rest);
    };
  }

  // For a method that it does not know, which HTTP/2 accepts, Fastify runs no hook and calls the error handler.
  #wrapErrorHandler(middleware: MaintenanceMiddleware): void {
    const { adapter } = this;
    const setErrorHandler = adapter.setErrorHandler?.bind(adapter) as ((...args: unknown[]) => unknown) | undefined;
    adapter.setErrorHandler = (handler: ErrorHandler, ...rest: unknown[]) => {
      const refuseFirst: ErrorHandler = (error, request, reply) => {
        if (error?.code !== 'FST_ERR_NOT_FOUND' || middleware.isIdle) return handler(error, request, reply);
        this.deps.announcer.announce(reply.raw);
        middleware.handleNotFound(
          this.#exchanges.createFirst(request, reply, () => void handler(error, request, reply)),
        );
      };
      return setErrorHandler?.(refuseFirst, ...rest);
    };
  }
}

// An application that ignores trailing slashes already has the route with a slash.
function ignoreDuplicateRoute(register: () => unknown): void {
  try {
    register();
  } catch (error) {
    if ((error as { code?: string }).code !== 'FST_ERR_DUPLICATED_ROUTE') throw error;
  }
}

// Fastify rejects `Content-Type: application/json` without a body, which many clients send.
function dropContentTypeOfEmptyBody(
  request: FastifyRequest,
  _reply: FastifyReply,
  _payload: unknown,
  done: (error?: Error) => void,
): void {
  if (!hasBody(request.raw)) delete request.headers['content-type'];
  done();
}

// Fastify passes the error on to the application's own error handler.
function explainParserError(error: Error & { code?: string }): never {
  throw error.code === 'FST_ERR_CTP_INVALID_JSON_BODY' ? withJsonExample(error) : error;
}
