import { Inject, Injectable, type CanActivate, type ExecutionContext } from '@nestjs/common';
import { HandlerRulesReader, type HandlerRules } from '../policy/handler-rules.js';
import { MaintenancePolicy, type Decision, type PolicyInput } from '../policy/maintenance-policy.js';
import type { Refusal } from '../policy/refusal.js';
import type { PolicyRequest } from '../policy/request-path.js';
import { TransportAdapters } from '../policy/transport-adapters.js';
import { enforcePrivateCaching, enforceRefusalHeaders } from './answer.js';
import { HttpIntegration } from './http-integration.js';
import { MaintenanceException } from './maintenance.exception.js';
import { Responder, type AnswerableRequest } from './responder.js';

/**
 * The authority for every handler: it refuses what an active window covers and no exemption admits. The module registers it for
 * the whole application; with `mount: { guard: false }` it waits for your `@UseGuards(MaintenanceGuard)`.
 *
 * @throws {@link MaintenanceException} for whoever is refused
 */
@Injectable()
export class MaintenanceGuard implements CanActivate {
  constructor(
    @Inject(MaintenancePolicy) private readonly policy: MaintenancePolicy,
    @Inject(HandlerRulesReader) private readonly reader: HandlerRulesReader,
    @Inject(Responder) private readonly responder: Responder,
    @Inject(HttpIntegration) private readonly httpIntegration: HttpIntegration,
    @Inject(TransportAdapters) private readonly transports: TransportAdapters,
  ) {}

  canActivate(context: ExecutionContext): boolean | Promise<boolean> {
    const rules = this.reader.getRules(context.getClass(), context.getHandler() as never);
    if (rules.override !== 'refuse' && this.policy.isIdle) return true;
    return this.#decide(context, rules);
  }

  /**
   * Refuses a call that another guard has rejected before, if a window covers it and no exemption admits it.
   *
   * @internal
   */
  async refuseRejectedCall(context: ExecutionContext): Promise<void> {
    const rules = this.reader.getRules(context.getClass(), context.getHandler() as never);
    const visit = this.#toPolicyInput(context, rules, context.getType() === 'http');
    const decision = visit && (await this.policy.decide(visit));
    if (typeof decision === 'object' && decision !== null) await this.#refuse(context, decision);
  }

  /** Makes what is thrown at a refused caller: the exception of the transport. */
  protected async refuse(context: ExecutionContext, refusal: Refusal): Promise<unknown> {
    const transport = this.transports.find(context.getType());
    if (transport?.createError) return transport.createError(refusal, context);
    const isHttp = context.getType() === 'http';
    const request = isHttp ? context.switchToHttp().getRequest<AnswerableRequest>() : null;
    // On the response itself, so that they survive whichever filter answers in the end.
    if (isHttp) enforceRefusalHeaders(this.#getRawResponse(context), this.responder.statusCode, refusal.retryAfter);
    const { isEventStream } = this.reader.getRules(context.getClass(), context.getHandler() as never);
    return new MaintenanceException(
      refusal,
      await this.responder.createProblemWithMembers(refusal, request),
      isEventStream,
    );
  }

  #decide(context: ExecutionContext, rules: HandlerRules): boolean | Promise<boolean> {
    const visit = this.#toPolicyInput(context, rules, context.getType() === 'http');
    if (visit === null) return true;
    const decision = this.policy.decide(visit);
    if (decision instanceof Promise) return decision.then((late) => this.#apply(late, context));
    return this.#apply(decision, context);
  }

  #apply(decision: Decision, context: ExecutionContext): boolean | Promise<never> {
    if (typeof decision === 'object') return this.#refuse(context, decision);
    if (decision === 'exempt') this.#applyExemption(context, context.getType() === 'http');
    return true;
  }

  async #refuse(context: ExecutionContext, refusal: Refusal): Promise<never> {
    throw await this.refuse(context, refusal);
  }

  #applyExemption(context: ExecutionContext, isHttp: boolean): void {
    if (isHttp) enforcePrivateCaching(this.#getRawResponse(context));
    else this.transports.find(context.getType())?.onExempt?.(context);
  }

  #toPolicyInput(context: ExecutionContext, rules: HandlerRules, isHttp: boolean): PolicyInput | null {
    const transport = this.transports.find(context.getType());
    if (transport?.toPolicyInput) return transport.toPolicyInput(context, rules);
    const request = isHttp ? this.httpIntegration.restoreUrl(context.switchToHttp().getRequest<PolicyRequest>()) : null;
    return { rules, request, context };
  }

  #getRawResponse(context: ExecutionContext): ReturnType<HttpIntegration['getRawResponse']> {
    return this.httpIntegration.getRawResponse(context.switchToHttp().getResponse());
  }
}
