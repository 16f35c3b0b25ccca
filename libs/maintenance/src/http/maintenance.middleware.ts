import type { Decision, MaintenancePolicy } from '../policy/maintenance-policy.js';
import type { Refusal } from '../policy/refusal.js';
import type { PolicyRequest } from '../policy/request-path.js';
import {
  preserveStatus,
  enforcePrivateCaching,
  enforceRefusalHeaders,
  type Answer,
  type RawResponse,
} from './answer.js';
import type { BypassLink } from './bypass-link.js';
import type { SharedEndpoints } from './shared-endpoints.js';
import type { AnswerableRequest, Responder } from './responder.js';
import { NO_HANDLERS, type ResolvedHandlers, type RoutedHandlers } from './routed-handlers.js';

/** A request at the edge, whichever the adapter. */
export interface HttpExchange {
  request: PolicyRequest & AnswerableRequest;
  response: RawResponse;
  /** Lets the request on. */
  proceed: () => void;
  /** Ends it. */
  send: (answer: Answer) => void;
  /** Called before a refusal, where headers that every answer has are not set by then. */
  beforeRefusal?: (refuse: () => void) => void;
  /** Refuses it. Missing where something of the application's own may still change the answer on its way. */
  refuse?: (answer: Answer) => void;
}

/**
 * The first of the two places that refuse: with the headers of CORS, before a body is read. It refuses what the guard never sees (unknown URLs,
 * static files, bodies that can't be parsed) and what the guard would refuse for certain. In doubt, the request goes on.
 */
export class MaintenanceMiddleware {
  constructor(
    private readonly policy: MaintenancePolicy,
    private readonly handlers: RoutedHandlers,
    private readonly responder: Responder,
    private readonly endpoints: SharedEndpoints,
    private readonly bypass: BypassLink,
  ) {}

  /** Whether no request needs a closer look: the short way while maintenance is off. */
  get isIdle(): boolean {
    return this.policy.isIdle && !this.handlers.hasForcedHandlers;
  }

  /** Lets the visitor on or ends the request, as far as that can be decided before the guards run. */
  handle(visitor: HttpExchange, route: ResolvedHandlers): void {
    if (this.#tryRedeemBypass(visitor)) return;
    this.#decideAndApply(visitor, this.#resolveHandlers(visitor.request, route));
  }

  /** The same for a request that the router has given up, whatever might have been there. */
  handleNotFound(visitor: HttpExchange): void {
    this.#decideAndApply(visitor, NO_HANDLERS);
  }

  /** The refusal that is certain already, without waiting for anything; `null` if there is none. */
  decideEarly(request: PolicyRequest, route: ResolvedHandlers): Refusal | null {
    const decision = this.#decide(request, this.#resolveHandlers(request, route), true);
    return typeof decision === 'object' && !(decision instanceof Promise) ? decision : null;
  }

  /** The answer to a refusal that is certain already, where it is ready too and the same for everybody; else `null`. */
  findEarlyAnswer(request: PolicyRequest & AnswerableRequest, route: ResolvedHandlers): Answer | null {
    const refusal = this.bypass.isLinkRequest(request) ? null : this.decideEarly(request, route);
    if (!refusal || this.endpoints.find(request.url)) return null;
    return this.responder.findReadyAnswer(refusal, request, isEventStream(route));
  }

  /** Ends the request with a refusal. */
  #refuse(refusal: Refusal, visitor: HttpExchange, route: ResolvedHandlers): void {
    const { request, response, send } = visitor;
    const endpoint = this.endpoints.find(request.url);
    const ready = endpoint ? null : this.responder.findReadyAnswer(refusal, request, isEventStream(route));
    if (ready && visitor.refuse) return deferToMicrotask(() => visitor.refuse!(ready));
    enforceRefusalHeaders(response, this.responder.statusCode, refusal.retryAfter);
    const own = endpoint?.createAnswer(refusal, request) ?? ready;
    if (own) return send(own);
    void this.responder.createAnswer(refusal, request, isEventStream(route)).then((answer) => {
      preserveStatus(response, answer);
      send(answer);
    });
  }

  #decideAndApply(visitor: HttpExchange, route: ResolvedHandlers): void {
    const decision = this.#decide(visitor.request, route);
    if (decision instanceof Promise) void decision.then((late) => this.#apply(late, visitor, route));
    else this.#apply(decision, visitor, route);
  }

  #tryRedeemBypass({ request, send }: HttpExchange): boolean {
    const answer = this.bypass.redeem(request);
    if (answer) send(answer);
    return answer !== null;
  }

  #resolveHandlers(request: PolicyRequest, route: ResolvedHandlers): ResolvedHandlers {
    return route.length === 0 ? (this.endpoints.find(request.url)?.resolveHandlers(request) ?? route) : route;
  }

  #decide(request: PolicyRequest, route: ResolvedHandlers, isEarly = false): Decision | Promise<Decision> {
    if (route === 'unclear') return 'undecided';
    if (route.length === 0) return this.policy.decide({ rules: null, request, context: null, isSyncOnly: isEarly });
    const decisions = route.map((rules) => this.policy.decide({ rules, request, context: null, isSyncOnly: isEarly }));
    const [first = 'undecided'] = decisions;
    // Versions and hosts of one path may be decided differently; which of them it is, the router knows.
    return decisions.every((decision) => getDecisionKey(decision) === getDecisionKey(first)) ? first : 'undecided';
  }

  #apply(decision: Decision, visitor: HttpExchange, route: ResolvedHandlers): void {
    if (typeof decision === 'object') {
      const refuse = (): void => this.#refuse(decision, visitor, route);
      return visitor.beforeRefusal ? visitor.beforeRefusal(refuse) : refuse();
    }
    if (decision === 'exempt') enforcePrivateCaching(visitor.response);
    visitor.proceed();
  }
}

/**
 * Answers when Node has parsed what came together with the head, and everybody has heard of the request: whoever sends a malformed
 * body gets 400 and not two answers, and whoever else listens on the server and answers is not disturbed.
 */
export function deferToMicrotask(answer: () => void): void {
  queueMicrotask(answer);
}

/** Two refusals are the same if the same window governs them. */
function getDecisionKey(decision: Decision | Promise<Decision>): unknown {
  return typeof decision === 'object' && !(decision instanceof Promise) ? (decision.window?.id ?? null) : decision;
}

function isEventStream(route: ResolvedHandlers): boolean {
  return route !== 'unclear' && route.length > 0 && route.every((rules) => rules.isEventStream);
}
