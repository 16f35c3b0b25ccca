import type { Decision, MaintenancePolicy } from '../policy/maintenance-policy.js';
import type { Refusal } from '../policy/refusal.js';
import { describeRoute, hasRefusalSubscribers, publishRefusal } from '../policy/refusal-channel.js';
import type { PolicyRequest } from '../policy/request-path.js';
import {
  preserveStatus,
  enforcePrivateCaching,
  enforceRefusalHeaders,
  type Answer,
  type RawResponse,
} from './answer.js';
import type { BypassLink } from './bypass-link.js';
import type { SharedEndpoint, SharedEndpoints } from './shared-endpoints.js';
import type { HttpRequest } from './http-request.interface.js';
import type { Responder } from './responder.js';
import { NO_HANDLERS, type ResolvedHandlers, type RoutedHandlers } from './routed-handlers.js';

/** A request and its response, whatever the adapter. */
export interface HttpExchange {
  request: HttpRequest;
  response: RawResponse;
  /** Passes the request on to the next middleware or hook. */
  proceed: () => void;
  /** Returns the path of the route that takes a request; `undefined` where there is none. */
  getRoutePattern: (request: HttpRequest) => string | undefined;
  /** Ends the request with an answer. */
  send: (answer: Answer) => void;
  /** Sets the headers of CORS and the like before a refusal, where the adapter would set them later. */
  beforeRefusal?: (refuse: () => void) => void;
  /**
   * Sends a complete refusal in the shortest way. Missing where a hook or a wrapper of the application may change the
   * answer.
   */
  sendRefusal?: (answer: Answer) => void;
}

/**
 * Refuses requests in front of the application: after CORS, before a body is read. It refuses requests that the guard
 * never sees (unknown URLs, static files, bodies that can't be parsed) and those that the guard would refuse for
 * certain. In doubt, it passes the request on, and the guard decides.
 */
export class MaintenanceMiddleware {
  constructor(
    private readonly policy: MaintenancePolicy,
    private readonly routedHandlers: RoutedHandlers,
    private readonly responder: Responder,
    private readonly endpoints: SharedEndpoints,
    private readonly bypass: BypassLink,
  ) {}

  /** Whether every request can be passed on undecided: maintenance is off, and no handler has `@ForceMaintenance()`. */
  get isIdle(): boolean {
    return this.policy.isIdle && !this.routedHandlers.hasForcedHandlers;
  }

  /** Whether every request can be passed on undecided at `now`, in milliseconds since the epoch. */
  isIdleAt(now: number): boolean {
    return this.policy.isIdleAt(now) && !this.routedHandlers.hasForcedHandlers;
  }

  /**
   * Refuses a request, or passes it on.
   *
   * @param handlers - the handlers that the router may choose for it
   */
  handle(exchange: HttpExchange, handlers: ResolvedHandlers): void {
    if (this.#tryRedeemBypass(exchange)) return;
    this.#decideAndApply(exchange, this.#resolveHandlers(exchange.request, handlers));
  }

  /** Refuses or passes on a request that no handler took, although one was expected. */
  handleNotFound(exchange: HttpExchange): void {
    this.#decideAndApply(exchange, NO_HANDLERS);
  }

  #refuse(refusal: Refusal, exchange: HttpExchange, handlers: ResolvedHandlers): void {
    const { request, response, send } = exchange;
    const endpoint = this.endpoints.find(request.url);
    const ready = endpoint ? null : this.responder.findReadyAnswer(refusal, request, isEventStream(handlers));
    if (ready && exchange.sendRefusal) {
      this.#publish(refusal, exchange, ready.status);
      // Node first parses what arrived with the head, and calls its other listeners: a malformed body gets 400, not
      // two answers.
      return process.nextTick(exchange.sendRefusal, ready);
    }
    const endpointAnswer = endpoint?.createAnswer(refusal, request);
    const onSent = hasRefusalSubscribers()
      ? (status: number) => this.#publish(refusal, exchange, status, endpointAnswer ? endpoint : undefined)
      : undefined;
    enforceRefusalHeaders(response, this.responder.statusCode, refusal, onSent);
    const answer = endpointAnswer ?? ready;
    if (answer) return send(answer);
    void this.responder.createAnswer(refusal, request, isEventStream(handlers)).then((answer) => {
      preserveStatus(response, answer);
      send(answer);
    });
  }

  #publish(
    refusal: Refusal,
    { request, getRoutePattern }: HttpExchange,
    status: number,
    endpoint?: Pick<SharedEndpoint, 'path' | 'transport'>,
  ): void {
    publishRefusal(refusal, () => {
      const pattern = endpoint?.path ?? getRoutePattern(request) ?? this.endpoints.find(request.url)?.path;
      return { ...describeRoute(request.method, pattern), transport: endpoint?.transport ?? 'http', status };
    });
  }

  #decideAndApply(exchange: HttpExchange, handlers: ResolvedHandlers): void {
    const decision = this.#decide(exchange.request, handlers);
    if (decision instanceof Promise) void decision.then((late) => this.#apply(late, exchange, handlers));
    else this.#apply(decision, exchange, handlers);
  }

  #tryRedeemBypass({ request, send }: HttpExchange): boolean {
    const answer = this.bypass.redeem(request);
    if (answer) send(answer);
    return answer !== null;
  }

  #resolveHandlers(request: PolicyRequest, handlers: ResolvedHandlers): ResolvedHandlers {
    return handlers.length === 0 ? (this.endpoints.find(request.url)?.resolveHandlers(request) ?? handlers) : handlers;
  }

  #decide(request: PolicyRequest, handlers: ResolvedHandlers): Decision | Promise<Decision> {
    if (handlers === 'unclear') return 'undecided';
    if (handlers.length < 2) return this.policy.decide({ rules: handlers[0] ?? null, request, context: null });
    const decisions = handlers.map((rules) => this.policy.decide({ rules, request, context: null }));
    const [first = 'undecided'] = decisions;
    // Versions and hosts of one path may be decided differently, and only the router knows which handler it takes.
    return decisions.every((decision) => getDecisionKey(decision) === getDecisionKey(first)) ? first : 'undecided';
  }

  #apply(decision: Decision, exchange: HttpExchange, handlers: ResolvedHandlers): void {
    if (typeof decision === 'object') {
      const refuse = (): void => this.#refuse(decision, exchange, handlers);
      return exchange.beforeRefusal ? exchange.beforeRefusal(refuse) : refuse();
    }
    if (decision === 'exempt') enforcePrivateCaching(exchange.response);
    exchange.proceed();
  }
}

/** Returns what makes two decisions the same: refusals are, if the same window refuses. */
function getDecisionKey(decision: Decision | Promise<Decision>): unknown {
  return typeof decision === 'object' && !(decision instanceof Promise) ? (decision.window?.id ?? null) : decision;
}

function isEventStream(handlers: ResolvedHandlers): boolean {
  return handlers !== 'unclear' && handlers.length > 0 && handlers.every((rules) => rules.isEventStream);
}
