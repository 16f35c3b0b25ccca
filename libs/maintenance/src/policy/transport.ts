import type { ExecutionContext } from '@nestjs/common';
import type { HandlerRules } from './handler-rules.js';
import type { Visit } from './maintenance-policy.js';
import type { Refusal } from './refusal.js';

/** A way other than plain HTTP requests by which callers reach handlers, and what maintenance means there. */
export interface Transport {
  /** As `ExecutionContext.getType()` names it; `null` where the guard sees requests of HTTP. */
  readonly type: string | null;
  /**
   * What the guard has to decide about a call.
   *
   * @returns `null`: nothing, the call belongs to one that was decided before
   */
  visitOf?(context: ExecutionContext, rules: HandlerRules): Visit | null;
  /** What the guard throws at a refused caller: what the transport's own exceptions are. */
  errorFor?(refusal: Refusal, context: ExecutionContext): unknown;
  /** Told of a call that an exemption admits. */
  exempted?(context: ExecutionContext): void;
  /** Hooks in, before gateways are created and before `main.ts` goes on. */
  attach?(): void;
  /** Called when all controllers are known and no route is registered yet; never where there is no HTTP adapter. */
  beforeRoutes?(): void;
  /** Called when the application has started. */
  started?(): void;
  /** Lets go of whatever it has hooked into. */
  close?(): void | Promise<void>;
}

/** The transports that the application uses. */
export class Transports {
  readonly #ofType: ReadonlyMap<string | null, Transport>;

  constructor(private readonly all: readonly Transport[]) {
    this.#ofType = new Map(all.map((transport) => [transport.type, transport]));
  }

  /** The one for calls of a type of `ExecutionContext`; `undefined` for HTTP and for what nobody knows. */
  of(type: string): Transport | undefined {
    return this.#ofType.get(type);
  }

  attach(): void {
    for (const transport of this.all) transport.attach?.();
  }

  beforeRoutes(): void {
    for (const transport of this.all) transport.beforeRoutes?.();
  }

  started(): void {
    for (const transport of this.all) transport.started?.();
  }

  async close(): Promise<void> {
    for (const transport of this.all) await transport.close?.();
  }
}
