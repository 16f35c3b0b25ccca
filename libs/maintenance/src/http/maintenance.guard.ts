import { Inject, Injectable, type CanActivate, type ExecutionContext } from '@nestjs/common';
import { HandlerRulesReader, type HandlerRules } from '../policy/handler-rules.js';
import { MaintenancePolicy, type Decision, type Visit } from '../policy/maintenance-policy.js';
import type { Refusal } from '../policy/refusal.js';
import type { PolicyRequest } from '../policy/request-path.js';
import { Transports } from '../policy/transport.js';
import { sealExempt, sealRefused } from './answer.js';
import { HttpMount } from './http-mount.js';
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
    @Inject(HttpMount) private readonly mount: HttpMount,
    @Inject(Transports) private readonly transports: Transports,
  ) {}

  canActivate(context: ExecutionContext): boolean | Promise<boolean> {
    const rules = this.reader.rulesOf(context.getClass(), context.getHandler() as never);
    if (rules.verdict !== 'refuse' && this.policy.isIdle) return true;
    return this.#decide(context, rules);
  }

  /**
   * Refuses a call that another guard has rejected before, if a window covers it and no exemption admits it.
   *
   * @internal
   */
  async refuseRejected(context: ExecutionContext): Promise<void> {
    const rules = this.reader.rulesOf(context.getClass(), context.getHandler() as never);
    const visit = this.#visitOf(context, rules, context.getType() === 'http');
    const decision = visit && (await this.policy.decide(visit));
    if (typeof decision === 'object' && decision !== null) await this.#refuse(context, decision);
  }

  /** Makes what is thrown at a refused caller: the exception of the transport. */
  protected async refuse(context: ExecutionContext, refusal: Refusal): Promise<unknown> {
    const transport = this.transports.of(context.getType());
    if (transport?.errorFor) return transport.errorFor(refusal, context);
    const isHttp = context.getType() === 'http';
    const request = isHttp ? context.switchToHttp().getRequest<AnswerableRequest>() : null;
    // On the response itself, so that they survive whichever filter answers in the end.
    if (isHttp) sealRefused(this.#rawResponse(context), this.responder.statusCode, refusal.retryAfter);
    const { isEventStream } = this.reader.rulesOf(context.getClass(), context.getHandler() as never);
    return new MaintenanceException(refusal, await this.responder.problem(refusal, request), isEventStream);
  }

  #decide(context: ExecutionContext, rules: HandlerRules): boolean | Promise<boolean> {
    const visit = this.#visitOf(context, rules, context.getType() === 'http');
    if (visit === null) return true;
    const decision = this.policy.decide(visit);
    if (decision instanceof Promise) return decision.then((late) => this.#carryOut(late, context));
    return this.#carryOut(decision, context);
  }

  #carryOut(decision: Decision, context: ExecutionContext): boolean | Promise<never> {
    if (typeof decision === 'object') return this.#refuse(context, decision);
    if (decision === 'exempt') this.#admitExempt(context, context.getType() === 'http');
    return true;
  }

  async #refuse(context: ExecutionContext, refusal: Refusal): Promise<never> {
    throw await this.refuse(context, refusal);
  }

  #admitExempt(context: ExecutionContext, isHttp: boolean): void {
    if (isHttp) sealExempt(this.#rawResponse(context));
    else this.transports.of(context.getType())?.exempted?.(context);
  }

  #visitOf(context: ExecutionContext, rules: HandlerRules, isHttp: boolean): Visit | null {
    const transport = this.transports.of(context.getType());
    if (transport?.visitOf) return transport.visitOf(context, rules);
    const request = isHttp ? this.mount.restoreUrl(context.switchToHttp().getRequest<PolicyRequest>()) : null;
    return { rules, request, context };
  }

  #rawResponse(context: ExecutionContext): ReturnType<HttpMount['rawResponse']> {
    return this.mount.rawResponse(context.switchToHttp().getResponse());
  }
}
