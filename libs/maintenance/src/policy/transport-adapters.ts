import type { ExecutionContext } from '@nestjs/common';
import type { HandlerRules } from './handler-rules.js';
import type { PolicyInput } from './maintenance-policy.js';
import type { Refusal } from './refusal.js';

/** A way other than plain HTTP requests by which callers reach handlers, and what maintenance means there. */
export interface TransportAdapter {
  /** As `ExecutionContext.getType()` names it; `null` where the guard sees requests of HTTP. */
  readonly type: string | null;
  /**
   * What the guard has to decide about a call.
   *
   * @returns `null`: nothing, the call belongs to one that was decided before
   */
  toPolicyInput?(context: ExecutionContext, rules: HandlerRules): PolicyInput | null;
  /** What the guard throws at a refused caller: what the transport's own exceptions are. */
  createError?(refusal: Refusal, context: ExecutionContext): unknown;
  /** Told of a call that an exemption admits. */
  onExempt?(context: ExecutionContext): void;
  /** Hooks in, before gateways are created and before `main.ts` goes on. */
  attach?(): void;
  /** Called when all controllers are known and no route is registered yet; never where there is no HTTP adapter. */
  configure?(): void;
  /** Called when the application has started. */
  onApplicationBootstrap?(): void;
  /** Lets go of whatever it has hooked into. */
  close?(): void | Promise<void>;
}

/** The transports that the application uses. */
export class TransportAdapters {
  readonly #byType: ReadonlyMap<string | null, TransportAdapter>;

  constructor(private readonly adapters: readonly TransportAdapter[]) {
    this.#byType = new Map(adapters.map((transport) => [transport.type, transport]));
  }

  /** The one for calls of a type of `ExecutionContext`; `undefined` for HTTP and for what nobody knows. */
  find(type: string): TransportAdapter | undefined {
    return this.#byType.get(type);
  }

  attach(): void {
    for (const transport of this.adapters) transport.attach?.();
  }

  configure(): void {
    for (const transport of this.adapters) transport.configure?.();
  }

  start(): void {
    for (const transport of this.adapters) transport.onApplicationBootstrap?.();
  }

  async close(): Promise<void> {
    for (const transport of this.adapters) await transport.close?.();
  }
}
