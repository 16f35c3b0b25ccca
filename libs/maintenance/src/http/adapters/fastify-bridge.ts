import { ServerResponse, type IncomingMessage } from 'node:http';
import type { AbstractHttpAdapter } from '@nestjs/core';
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { append } from 'vary';
import {
  FASTIFY_CONTEXT_SYMBOL,
  FASTIFY_HEADER_HOOK_NAMES,
  FASTIFY_REQUEST_SYMBOL,
  type FastifyAdapterInternals,
  type FastifyRouteContext,
} from '../../nest-internals.js';
import { patchMethod } from '../../utils/patch-method.js';
import type { PolicyRequest } from '../../policy/request-path.js';
import { withTimeout } from '../../utils/with-timeout.js';
import { ANNOUNCEMENT_HEADER } from '../announcer.js';
import type { Answer, RawResponse } from '../answer.js';
import type { MaintenanceMiddleware, HttpExchange } from '../maintenance.middleware.js';
import { hasBody } from '../has-body.js';
import { withJsonExample } from '../json-example.js';
import type { AnswerableRequest } from '../responder.js';
import { trackHandlerResult, trackRequest, type RequestAccessors } from '../../drain/request-in-flight.js';
import { NO_HANDLERS, type ResolvedHandlers } from '../routed-handlers.js';
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
/** Node's request, of which Fastify and middie keep the URL that they replace. */
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
type RouteContext = FastifyRouteContext<Hook>;
type HookedAdapter = FastifyAdapterInternals<Hook, FastifyRequest>;
type Done = (error?: unknown) => void;
type Hook = (request: FastifyRequest, reply: FastifyReply, done: Done) => unknown;

/** For all hooks that set headers together: an application may look up its allowed origins elsewhere. */
const HEADERS_TIMEOUT_MS = 1_000;

/**
 * Fastify: the edge is the first `onRequest` hook, before Nest's middleware and all hooks of plugins: a session, a rate limit or a login
 * asks the very database that is being maintained. By then the router has chosen the route.
 */
export class FastifyBridge implements HttpBridge {
  /** The route that Nest is registering. */
  #registering: { route: ResolvedHandlers; isAdmin: boolean } | null = null;
  #contextSymbol: symbol | undefined;
  /** Marks raw requests with the URL that `rewriteUrl` has made, which the router goes by. */
  readonly #rewrittenUrlKey = Symbol('nestjs-maintenance:rewritten-url');

  constructor(
    private readonly adapter: AbstractHttpAdapter,
    private readonly deps: HttpBridgeDeps,
  ) {}

  attach(): void {
    const { viewLocals, middleware: edge } = this.deps;
    const instance = this.adapter.getInstance<FastifyInstance>();
    this.#markRoutes(instance);
    this.#installOnRequestHook(edge);
    if (edge) {
      this.#wrapNotFoundHandler(edge);
      this.#wrapErrorHandler(edge);
    }
    instance.addHook('preParsing', (_request, reply, _payload, done) => {
      const { locals } = reply as { locals?: object | null };
      if (locals) Object.defineProperties(locals, viewLocals);
      done();
    });
  }

  /** The hook has its place already. */
  installMiddleware(): void {}

  getRawResponse(response: unknown): RawResponse {
    // A middleware gets Node's response itself.
    return (response as Partial<FastifyReply>).raw ?? (response as RawResponse);
  }

  send(response: unknown, { status, headers, body }: Answer): void {
    const reply = response as FastifyReply;
    if (reply.sent) return;
    void reply.code(status).headers(headers).send(body);
  }

  restoreUrl<T extends PolicyRequest>(request: T): T {
    const raw = (request as T & { raw?: object }).raw ?? request;
    const { originalUrl, [this.#rewrittenUrlKey]: rewrittenUrl } = raw as RewrittenRequest;
    // Where middleware is mounted at a path, middie cuts that part off until the middleware is done.
    const url = rewrittenUrl ?? originalUrl ?? request.url;
    return url === request.url ? request : copyWithUrl(request, url);
  }

  toPolicyRequest(raw: IncomingMessage): PolicyRequest & AnswerableRequest {
    const instance: object = this.adapter.getInstance<FastifyInstance>();
    const symbol = Object.getOwnPropertySymbols(instance).find(
      ({ description }) => description === FASTIFY_REQUEST_SYMBOL,
    );
    type Constructor = new (...args: unknown[]) => FastifyRequest;
    const Request = symbol && (instance as Record<symbol, Constructor>)[symbol];
    // The only one who knows the trust-proxy setting.
    return Request ? new Request('', {}, raw, {}, undefined, {}) : toPlainRequest(raw);
  }

  #createExchange(request: FastifyRequest, reply: FastifyReply, proceed: () => void): HttpExchange {
    return {
      request,
      response: reply.raw,
      proceed,
      send: (answer) => this.send(reply, answer),
      ...(!this.#hasOnSendHooks(request) && { refuse: (answer) => this.#sendRefusal(request, reply, answer) }),
    };
  }

  /** Refuses where nobody changes the answer on its way. */
  #sendRefusal(request: FastifyRequest, reply: FastifyReply, answer: Answer): void {
    if (reply.sent) return;
    const { completeHeaders: allHeaders } = answer;
    const isAlone = allHeaders && reply.raw instanceof ServerResponse && isEmpty(reply.getHeaders());
    if (!isAlone || this.#hasOnResponseHooks(request)) return sendReply(reply, answer);
    // Nobody has set a header before, and nobody misses those of the reply: Node does the same with less work.
    reply.hijack();
    reply.raw.writeHead(answer.status, allHeaders).end(answer.body);
  }

  /** Whether `onSend` hooks, of which Fastify tells nobody, may change the answer. */
  #hasOnSendHooks(request: FastifyRequest): boolean {
    return this.#findRouteContext(request)?.onSend !== null;
  }

  /** Whether `onResponse` hooks may look at the headers that Fastify keeps. The first one is Nest's, for that of the adapter. */
  #hasOnResponseHooks(request: FastifyRequest): boolean {
    const hooks = this.#findRouteContext(request)?.onResponse;
    return hooks?.length !== 1 || (this.adapter as unknown as HookedAdapter).onResponseHook !== undefined;
  }

  /** What hooks there are; `undefined` where Fastify does not tell. */
  #findRouteContext(request: FastifyRequest): Partial<RouteContext> | undefined {
    this.#contextSymbol ??= Object.getOwnPropertySymbols(request).find(
      ({ description }) => description === FASTIFY_CONTEXT_SYMBOL,
    );
    return this.#contextSymbol && (request as unknown as Record<symbol, RouteContext | undefined>)[this.#contextSymbol];
  }

  #getHandlers(request: FastifyRequest): ResolvedHandlers {
    if (request.is404) return NO_HANDLERS;
    return (request.routeOptions.config as MarkedConfig)[HANDLERS_KEY] ?? NO_HANDLERS;
  }

  // The adapter's own hook comes before everything that Nest and plugins add; somebody else may want it too.
  #installOnRequestHook(edge: MaintenanceMiddleware | null): void {
    const adapter = this.adapter as unknown as HookedAdapter;
    const { tracking } = this.deps;
    const lens: RequestAccessors<FastifyReply> = {
      getOriginalRequest: ({ request }) => this.restoreUrl(request),
      resolveHandlers: ({ request }) => this.#getHandlers(request),
      getRoutePattern: ({ request }) => request.routeOptions.url,
      // Over HTTP/2, a reply to a stream that was reset is never delivered.
      onAnswered: (reply, answered) =>
        void patchMethod(reply, 'send', (send) => (...args) => {
          answered();
          return send(...args);
        }),
    };
    let others: Hook = (_request, _reply, done) => done();
    // A refused request is not counted: its answer is all that there is to wait for.
    const proceed: Hook = (request, reply, done) => {
      trackRequest(reply, reply.raw, lens, tracking);
      return others(request, reply, done);
    };
    const setOnRequestHook = adapter.setOnRequestHook.bind(adapter);
    setOnRequestHook((request, reply, done) => {
      const raw = request.raw as object as RewrittenRequest;
      if (raw.originalUrl !== undefined) raw[this.#rewrittenUrlKey] = raw.url;
      if (edge) this.#setAnnouncementHeader(reply);
      if (!edge || edge.isIdle) return proceed(request, reply, done);
      const visitor = this.#createFirstExchange(request, reply, () => runHook(proceed, request, reply, done));
      const route = this.#getHandlers(request);
      if (request.method !== 'OPTIONS') return edge.handle(visitor, route);
      // CORS answers a preflight whatever the decision is.
      visitor.beforeRefusal(() => edge.handle({ ...visitor, beforeRefusal: undefined }, route));
    });
    adapter.setOnRequestHook = (hook) => void (others = hook);
  }

  #setAnnouncementHeader(reply: FastifyReply): void {
    const { header } = this.deps.announcer;
    if (header !== null) void reply.header(ANNOUNCEMENT_HEADER, header);
  }

  /** Returns the visitor of a request for which no other hook has run. */
  #createFirstExchange(
    request: FastifyRequest,
    reply: FastifyReply,
    proceed: () => void,
  ): HttpExchange & Required<Pick<HttpExchange, 'beforeRefusal'>> {
    return {
      ...this.#createExchange(request, reply, proceed),
      beforeRefusal: (refuse) => this.#runHeaderHooks(request, reply, refuse),
    };
  }

  /** Runs the hooks that do nothing but set headers, which Fastify would run later. A hook of CORS may answer a preflight by itself. */
  #runHeaderHooks(request: FastifyRequest, reply: FastifyReply, then: () => void): void {
    const { corsHook, securityHook } = this.adapter as unknown as HookedAdapter;
    const hooks =
      this.#findRouteContext(request)?.onRequest?.filter(({ name }) => FASTIFY_HEADER_HOOK_NAMES.has(name)) ?? [];
    if (corsHook) hooks.unshift(corsHook);
    if (securityHook)
      hooks.push((_request, _reply, done) => {
        securityHook(request, reply.raw);
        done();
      });
    if (hooks.length === 0) return then();
    const set = withTimeout(() => runHooks(hooks, request, reply), this.deps.clock, HEADERS_TIMEOUT_MS);
    const goOn = (): void => {
      if (!reply.sent) then();
    };
    // As Fastify does with what a hook throws.
    set.then(goOn, goOn).catch((error: unknown) => void reply.send(error));
  }

  // Fastify keeps no metadata of a handler, so the route goes into Fastify's config of it while Nest registers it.
  #markRoutes(instance: FastifyInstance): void {
    const { handlers } = this.deps;
    const verbs = this.adapter as unknown as Record<string, RegisterRoute | undefined>;
    for (const verb of ROUTE_METHODS) {
      const register = verbs[verb]?.bind(this.adapter);
      if (!register) continue;
      verbs[verb] = (path, handler) => {
        const wraps = Boolean(this.adapter.getOnRouteTriggered?.());
        this.#registering = {
          route: handlers.resolveHandlers(handler ?? {}, wraps),
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
    const { middleware: edge } = this.deps;
    const passUnrouted = (request: FastifyRequest, reply: FastifyReply, error: unknown): void =>
      edge?.handleNotFound(this.#createExchange(request, reply, () => void reply.send(error)));
    return function (this: unknown, request, reply) {
      try {
        // A client that goes away ends the connection, and not what the handler does.
        return trackHandlerResult(reply.raw, handler.call(this, request, reply));
      } catch (error) {
        // Nest's handlers are asynchronous. Only its check of the controller's `host` throws, before any guard.
        if (!edge || edge.isIdle) throw error;
        passUnrouted(request, reply, error);
      }
    };
  }

  // Fastify gets here from hooks too, before ours has run.
  #wrapNotFoundHandler(edge: MaintenanceMiddleware): void {
    const { adapter } = this;
    const setNotFoundHandler = adapter.setNotFoundHandler?.bind(adapter) as
      ((...args: unknown[]) => unknown) | undefined;
    adapter.setNotFoundHandler = (handler: Handler, ...rest: unknown[]) => {
      const refuseFirst: Handler = (request, reply) => {
        if (edge.isIdle) return handler(request, reply);
        edge.handleNotFound(this.#createExchange(request, reply, () => void handler(request, reply)));
      };
      return setNotFoundHandler?.(refuseFirst, ...rest);
    };
  }

  // Fastify has no routes for methods that it does not know, which HTTP/2 takes: it runs no hook, and reports an error.
  #wrapErrorHandler(edge: MaintenanceMiddleware): void {
    const { adapter } = this;
    const setErrorHandler = adapter.setErrorHandler?.bind(adapter) as ((...args: unknown[]) => unknown) | undefined;
    adapter.setErrorHandler = (handler: ErrorHandler, ...rest: unknown[]) => {
      const refuseFirst: ErrorHandler = (error, request, reply) => {
        if (error?.code !== 'FST_ERR_NOT_FOUND' || edge.isIdle) return handler(error, request, reply);
        this.#setAnnouncementHeader(reply);
        edge.handleNotFound(this.#createFirstExchange(request, reply, () => void handler(error, request, reply)));
      };
      return setErrorHandler?.(refuseFirst, ...rest);
    };
  }
}

/** Runs hooks one after the other, until one has answered. A hook that fails has no say in what follows. */
async function runHooks(hooks: Hook[], request: FastifyRequest, reply: FastifyReply): Promise<void> {
  for (const hook of hooks) {
    if (reply.sent) return;
    await new Promise<void>((resolve) => {
      runHook(hook, request, reply, () => resolve());
      if (reply.sent) resolve();
    });
  }
}

/** Runs a hook as Fastify does: it calls back, returns a promise or throws. */
function runHook(hook: Hook, request: FastifyRequest, reply: FastifyReply, done: Done): void {
  let isDone = false;
  const doneOnce: Done = (error) => {
    if (!isDone) {
      isDone = true;
      done(error);
    }
  };
  try {
    const result = hook(request, reply, doneOnce);
    if (result instanceof Promise) result.then(() => doneOnce(), doneOnce);
  } catch (error) {
    doneOnce(error);
  }
}

function isEmpty(headers: object): boolean {
  for (const _ in headers) return false;
  return true;
}

function sendReply(reply: FastifyReply, { status, headers, body }: Answer): void {
  if (reply.sent) return;
  if (reply.hasHeader('ETag')) reply.removeHeader('ETag');
  // Before 5.12, Fastify leaves the one of Node's response there.
  reply.raw.removeHeader('ETag');
  const vary = reply.getHeader('Vary');
  void reply
    .code(status)
    .headers(headers)
    .header('Vary', vary === undefined ? 'Accept' : append(String(vary), 'Accept'))
    .send(body);
}

// An application that ignores trailing slashes has the route with a slash already.
function ignoreDuplicateRoute(register: () => unknown): void {
  try {
    register();
  } catch (error) {
    if ((error as { code?: string }).code !== 'FST_ERR_DUPLICATED_ROUTE') throw error;
  }
}

// Fastify refuses `Content-Type: application/json` without a body; many a client sends just that.
function dropContentTypeOfEmptyBody(
  request: FastifyRequest,
  _reply: FastifyReply,
  _payload: unknown,
  done: (error?: Error) => void,
): void {
  if (!hasBody(request.raw)) delete request.headers['content-type'];
  done();
}

// What is thrown here goes on to the application's own error handler.
function explainParserError(error: Error & { code?: string }): never {
  throw error.code === 'FST_ERR_CTP_INVALID_JSON_BODY' ? withJsonExample(error) : error;
}
