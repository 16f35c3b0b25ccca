import type { AbstractHttpAdapter } from '@nestjs/core';
import type { FastifyInstance, FastifyReply, FastifyRequest, RouteOptions } from 'fastify';
import type { HandlerRules } from '../../policy/handler-rules.js';
import type { Answer, RawResponse } from '../answer.js';
import { NO_HANDLER, type EdgeVisitor, type Route } from '../edge.js';
import type { BridgeParts, HttpBridge } from './http-bridge.js';

/** The methods of Nest's adapter that register a route. */
const VERBS = [
  ...['get', 'post', 'head', 'delete', 'put', 'patch', 'options', 'all'],
  ...['search', 'query', 'propfind', 'proppatch', 'mkcol', 'copy', 'move', 'lock', 'unlock'],
] as (keyof AbstractHttpAdapter)[];

const RULES = Symbol('nestjs-maintenance:rules');
interface MarkedConfig {
  [RULES]?: HandlerRules[];
}
type Handler = (request: FastifyRequest, reply: FastifyReply) => unknown;
type Verb = (path: string, handler: object) => unknown;

/**
 * Fastify: the edge is a hook that runs after all `onRequest` hooks, CORS among them, and before a body is read. By then the
 * router has chosen the route.
 */
export class FastifyBridge implements HttpBridge {
  /** The rules of the route that Nest is registering. */
  #registering: HandlerRules[] = [];

  constructor(
    private readonly adapter: AbstractHttpAdapter,
    private readonly parts: BridgeParts,
  ) {}

  attach(): void {
    const { viewLocals, edge } = this.parts;
    const instance = this.adapter.getInstance<FastifyInstance>();
    this.#followRoutes(instance);
    instance.addHook('preParsing', (request, reply, _payload, done) => {
      const { locals } = reply as { locals?: object | null };
      if (locals) Object.defineProperties(locals, viewLocals);
      if (!edge || edge.isIdle) done();
      else edge.pass(this.#visitor(request, reply, () => done()), this.#routeOf(request));
    });
    if (edge) this.#guardNotFound();
  }

  /** The hook has its place already. */
  placeEdge(): void {}

  rawResponse(response: unknown): RawResponse {
    // A middleware gets Node's response itself.
    return (response as Partial<FastifyReply>).raw ?? (response as RawResponse);
  }

  send(response: unknown, { status, headers, body }: Answer): void {
    const reply = response as FastifyReply;
    if (reply.sent) return;
    void reply.code(status).headers(headers).send(body);
  }

  #visitor(request: FastifyRequest, reply: FastifyReply, proceed: () => void): EdgeVisitor {
    return { request, response: reply.raw, proceed, send: (answer) => this.send(reply, answer) };
  }

  #routeOf(request: FastifyRequest): Route {
    if (request.is404) return NO_HANDLER;
    const rules = (request.routeOptions.config as MarkedConfig)[RULES];
    // Nest wraps handlers, marks and all, where something wants to hear of each route that is taken.
    return rules ?? (this.adapter.getOnRouteTriggered?.() ? 'unclear' : NO_HANDLER);
  }

  // Fastify keeps no metadata of a handler, so the rules go into the route's config while Nest registers it.
  #followRoutes(instance: FastifyInstance): void {
    const verbs = this.adapter as unknown as Record<string, Verb | undefined>;
    for (const verb of VERBS) {
      const register = verbs[verb]?.bind(this.adapter);
      if (!register) continue;
      verbs[verb] = (path, handler) => {
        this.#registering = this.parts.handlers.rulesOf(handler ?? {});
        try {
          const result = register(path, handler);
          if (this.#registering.some((rules) => rules.isAdmin)) tolerate(() => register(`${path}/`, handler));
          return result;
        } finally {
          this.#registering = [];
        }
      };
    }
    instance.addHook('onRoute', (route) => {
      if (this.#registering.length === 0) return;
      route.config = { ...route.config, [RULES]: this.#registering } as RouteOptions['config'];
      if (this.#registering.some((rules) => rules.isAdmin)) route.preParsing = [forgetTypeOfNothing];
    });
  }

  // Fastify gets here from hooks too, before ours has run.
  #guardNotFound(): void {
    const { adapter, parts } = this;
    const setNotFoundHandler = adapter.setNotFoundHandler?.bind(adapter) as ((...args: unknown[]) => unknown) | undefined;
    adapter.setNotFoundHandler = (handler: Handler, ...rest: unknown[]) => {
      const refuseFirst: Handler = (request, reply) => {
        if (!parts.edge || parts.edge.isIdle) return handler(request, reply);
        parts.edge.pass(this.#visitor(request, reply, () => void handler(request, reply)), NO_HANDLER);
      };
      return setNotFoundHandler?.(refuseFirst, ...rest);
    };
  }
}

// An application that ignores trailing slashes has the route with a slash already.
function tolerate(register: () => unknown): void {
  try {
    register();
  } catch (error) {
    if ((error as { code?: string }).code !== 'FST_ERR_DUPLICATED_ROUTE') throw error;
  }
}

// Fastify refuses `Content-Type: application/json` without a body; many a client sends just that.
function forgetTypeOfNothing(
  request: FastifyRequest,
  _reply: FastifyReply,
  _payload: unknown,
  done: (error?: Error) => void,
): void {
  const { headers } = request;
  const length = headers['content-length'];
  if (headers['transfer-encoding'] === undefined && (length === undefined || length === '0')) delete headers['content-type'];
  done();
}
