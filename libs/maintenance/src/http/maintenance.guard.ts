import { Inject, Injectable, type CanActivate, type ExecutionContext } from '@nestjs/common';
import { HandlerRulesReader, type HandlerRules } from '../policy/handler-rules.js';
import { MaintenancePolicy, type Decision, type PolicyInput } from '../policy/maintenance-policy.js';
import type { Refusal } from '../policy/refusal.js';
import { publishRefusal } from '../policy/refusal-channel.js';
import { TransportAdapters } from '../policy/transport-adapters.js';
import { MaintenanceException } from './maintenance.exception.js';
import { Responder } from './responder.js';

/**
 * Refuses every call that an active window covers and no exemption admits, whatever the transport. The module
 * registers it for all handlers; with `mount: { guard: false }` it runs only where you write
 * `@UseGuards(MaintenanceGuard)`.
 *
 * @throws {@link MaintenanceException} for a refused request over HTTP; other transports have errors of their own
 *
 * @example
 * ```ts
 * @UseGuards(MaintenanceGuard)
 * @Controller('orders')
 * export class OrdersController {}
 * ```
 */
@Injectable()
export class MaintenanceGuard implements CanActivate {
  constructor(
    @Inject(MaintenancePolicy) private readonly policy: MaintenancePolicy,
    @Inject(HandlerRulesReader) private readonly reader: HandlerRulesReader,
    @Inject(Responder) private readonly responder: Responder,
    @Inject(TransportAdapters) private readonly transports: TransportAdapters,
  ) {}

  canActivate(context: ExecutionContext): boolean | Promise<boolean> {
    const rules = this.#getRules(context);
    if (rules.override !== 'refuse' && this.policy.isIdle) return true;
    const input = this.#toPolicyInput(context, rules);
    if (input === null) return true;
    const decision = this.policy.decide(input);
    if (decision instanceof Promise) return decision.then((late) => this.#apply(late, context));
    return this.#apply(decision, context);
  }

  /**
   * Refuses a call that another guard has rejected before, if a window covers it and no exemption admits it.
   *
   * @internal
   */
  async refuseRejectedCall(context: ExecutionContext): Promise<void> {
    const input = this.#toPolicyInput(context, this.#getRules(context));
    const decision = input && (await this.policy.decide(input));
    if (typeof decision === 'object' && decision !== null) await this.#refuse(context, decision);
  }

  #apply(decision: Decision, context: ExecutionContext): boolean | Promise<never> {
    if (typeof decision === 'object') return this.#refuse(context, decision);
    if (decision === 'exempt') this.transports.find(context.getType())?.onExempt?.(context);
    return true;
  }

  async #refuse(context: ExecutionContext, refusal: Refusal): Promise<never> {
    throw await this.refuse(context, refusal);
  }

  /** Creates the error for a refused call: that of its transport, or Nest's own kind where no transport is known. */
  protected async refuse(context: ExecutionContext, refusal: Refusal): Promise<unknown> {
    const transport = this.transports.find(context.getType());
    if (transport?.createError) return transport.createError(refusal, context);
    publishRefusal(refusal, () => ({
      route: `${context.getClass().name}.${context.getHandler().name}`,
      method: 'call',
      transport: context.getType(),
      status: this.responder.statusCode,
    }));
    const problem = await this.responder.createProblemWithMembers(refusal, null);
    return new MaintenanceException(refusal, problem, this.#getRules(context).isEventStream);
  }

  #toPolicyInput(context: ExecutionContext, rules: HandlerRules): PolicyInput | null {
    const transport = this.transports.find(context.getType());
    return transport?.toPolicyInput ? transport.toPolicyInput(context, rules) : { rules, request: null, context };
  }

  #getRules(context: ExecutionContext): HandlerRules {
    return this.reader.getRules(context.getClass(), context.getHandler() as never);
  }
}
