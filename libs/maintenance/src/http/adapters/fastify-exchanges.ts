import { ServerResponse } from 'node:http';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { loadVary } from '../../packages.cjs';
import {
  FASTIFY_CONTEXT_SYMBOL,
  FASTIFY_HEADER_HOOK_NAMES,
  type FastifyAdapterInternals,
  type FastifyRouteContext,
} from '../../nest-internals.js';
import type { Clock } from '../../utils/clock.js';
import { withTimeout } from '../../utils/with-timeout.js';
import { VARY, type Answer } from '../answer.js';
import { exposeHeaders } from '../exposed-headers.js';
import type { HttpExchange } from '../maintenance.middleware.js';

export type Hook = (request: FastifyRequest, reply: FastifyReply, done: Done) => unknown;
export type HookedAdapter = FastifyAdapterInternals<Hook, FastifyRequest>;
type Done = (error?: unknown) => void;
type RouteContext = FastifyRouteContext<Hook>;

/** For all hooks that set headers together: one may look up the allowed origins in a database. */
const HEADERS_TIMEOUT_MS = 1_000;
const NO_HOOKS: readonly Hook[] = [];

/**
 * Creates the exchanges of Fastify: how a request is answered, and which hooks run before. A refusal skips what no hook
 * of the application may change.
 */
export class FastifyExchanges {
  #contextSymbol: symbol | undefined;
  readonly #headerHooks = new WeakMap<Hook[], readonly Hook[]>();

  constructor(
    private readonly adapter: HookedAdapter,
    private readonly clock: Clock,
  ) {}

  /** Creates the exchange of a request for which the hooks have run. */
  create(request: FastifyRequest, reply: FastifyReply, proceed: () => void): HttpExchange {
    const send = (answer: Answer): void => sendAnswer(reply, answer);
    const sendRefusal = (answer: Answer): void => this.#sendRefusal(request, reply, answer);
    const isChangedByHooks = this.#hasOnSendHooks(request);
    return {
      request,
      response: reply.raw,
      proceed,
      getRoutePattern,
      send,
      sendRefusal: isChangedByHooks ? undefined : sendRefusal,
    };
  }

  /** Creates the exchange of a request for which no other hook has run. */
  createFirst(
    request: FastifyRequest,
    reply: FastifyReply,
    proceed: () => void,
  ): HttpExchange & Required<Pick<HttpExchange, 'beforeRefusal'>> {
    const exchange = this.create(request, reply, proceed);
    const beforeRefusal = (refuse: () => void): void => this.#runHeaderHooks(request, reply, refuse);
    return Object.assign(exchange, { beforeRefusal });
  }

  /**
   * Runs the hooks that only set headers, which Fastify would run later. The hook of CORS may answer a preflight
   * itself.
   */
  #runHeaderHooks(request: FastifyRequest, reply: FastifyReply, then: () => void): void {
    const { corsHook, securityHook } = this.adapter;
    const routeHooks = this.#findHeaderHooks(request);
    if (routeHooks.length === 0 && !corsHook && !securityHook) return then();
    const hooks = [...routeHooks];
    if (corsHook) hooks.unshift(corsHook);
    if (securityHook)
      hooks.push((_request, _reply, done) => {
        securityHook(request, reply.raw);
        done();
      });
    const headersSet = withTimeout(() => runHooks(hooks, request, reply), this.clock, HEADERS_TIMEOUT_MS);
    const proceed = (): void => {
      if (!reply.sent) then();
    };
    // Fastify also sends the error of a hook that throws.
    headersSet.then(proceed, proceed).catch((error: unknown) => void reply.send(error));
  }

  /** Finds the hooks of a route that only set headers. Fastify collects the hooks before the first request. */
  #findHeaderHooks(request: FastifyRequest): readonly Hook[] {
    const onRequest = this.#findRouteContext(request)?.onRequest;
    if (!onRequest) return NO_HOOKS;
    let hooks = this.#headerHooks.get(onRequest);
    if (!hooks) {
      hooks = onRequest.filter(({ name }) => FASTIFY_HEADER_HOOK_NAMES.has(name));
      this.#headerHooks.set(onRequest, hooks);
    }
    return hooks;
  }

  /** Sends a refusal that no hook may change. */
  #sendRefusal(request: FastifyRequest, reply: FastifyReply, answer: Answer): void {
    if (reply.sent) return;
    const { completeHeaders: allHeaders } = answer;
    const hasNoOtherHeaders = allHeaders && reply.raw instanceof ServerResponse && isEmpty(reply.getHeaders());
    if (!hasNoOtherHeaders || this.#hasOnResponseHooks(request)) return sendReply(reply, answer);
    // No hook has set a header or will read those of the reply: Node does the same with less work.
    reply.hijack();
    reply.raw.writeHead(answer.status, allHeaders).end(answer.body);
  }

  /** Whether `onSend` hooks may change the answer. Fastify has no public way to ask. */
  #hasOnSendHooks(request: FastifyRequest): boolean {
    return this.#findRouteContext(request)?.onSend !== null;
  }

  /** Whether `onResponse` hooks may read the headers of the reply. Nest always adds one, for the adapter's own hook. */
  #hasOnResponseHooks(request: FastifyRequest): boolean {
    const hooks = this.#findRouteContext(request)?.onResponse;
    return hooks?.length !== 1 || this.adapter.onResponseHook !== undefined;
  }

  /** Returns the hooks of the route; `undefined` where this version of Fastify keeps them elsewhere. */
  #findRouteContext(request: FastifyRequest): Partial<RouteContext> | undefined {
    this.#contextSymbol ??= Object.getOwnPropertySymbols(request).find(
      ({ description }) => description === FASTIFY_CONTEXT_SYMBOL,
    );
    return this.#contextSymbol && (request as unknown as Record<symbol, RouteContext | undefined>)[this.#contextSymbol];
  }
}

/** Returns the path of the route; `undefined` for an unknown URL, also while Fastify runs its handler for them. */
export function getRoutePattern(request: object): string | undefined {
  const { is404, routeOptions } = request as FastifyRequest;
  return is404 ? undefined : routeOptions?.url;
}

/** Sends an answer through Fastify, unless the reply was sent before. */
export function sendAnswer(reply: FastifyReply, { status, headers, body }: Answer): void {
  if (reply.sent) return;
  void reply.code(status).headers(headers).send(body);
}

/** Runs hooks one after the other until one has answered. The error of a hook is ignored. */
async function runHooks(hooks: Hook[], request: FastifyRequest, reply: FastifyReply): Promise<void> {
  for (const hook of hooks) {
    if (reply.sent) return;
    await new Promise<void>((resolve) => {
      runHook(hook, request, reply, () => resolve());
      if (reply.sent) resolve();
    });
  }
}

/** Runs a hook as Fastify does: it may call back, return a promise or throw. */
export function runHook(hook: Hook, request: FastifyRequest, reply: FastifyReply, done: Done): void {
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
  // Before 5.12, Fastify keeps the ETag of Node's response.
  reply.raw.removeHeader('ETag');
  exposeHeaders({
    getHeader: (name) => reply.getHeader(name),
    setHeader: (name, value) => reply.header(name, value),
  });
  const vary = reply.getHeader('Vary');
  void reply
    .code(status)
    .headers(headers)
    .header('Vary', vary === undefined ? VARY : loadVary().append(String(vary), VARY))
    .send(body);
}
