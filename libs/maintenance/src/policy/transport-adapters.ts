import type { ExecutionContext } from '@nestjs/common';
import type { HandlerRules } from './handler-rules.js';
import type { PolicyInput } from './maintenance-policy.js';
import type { Refusal } from './refusal.js';

/** A kind of call that reaches handlers, and what maintenance means for it. */
export interface TransportAdapter {
  /** The type of its calls, as `ExecutionContext.getType()` names it; `null` where the guard sees none of them. */
  readonly type: string | null;
  /**
   * Returns what the guard has to decide about a call. Without this method, a call is decided without a request.
   *
   * @returns `null` for a call that belongs to one that was decided before
   */
  toPolicyInput?(context: ExecutionContext, rules: HandlerRules): PolicyInput | null;
  /** Creates the error that the guard throws for a refused call: an exception that the transport knows how to send. */
  createError?(refusal: Refusal, context: ExecutionContext): unknown;
  /** Handles a call that an exemption admits. */
  onExempt?(context: ExecutionContext): void;
  /** Patches what has to be patched before gateways are created and before `main.ts` continues. */
  attach?(): void;
  /** Called when all controllers are known and no route is registered yet; never where there is no HTTP adapter. */
  configure?(): void;
  /** Called when the application has started. */
  onApplicationBootstrap?(): void;
  /** Restores whatever the transport has patched. */
  close?(): void | Promise<void>;
}

/** The transports that the application uses, HTTP included. */
export class TransportAdapters {
  readonly #byType: ReadonlyMap<string | null, TransportAdapter>;

  constructor(private readonly adapters: readonly TransportAdapter[]) {
    this.#byType = new Map(adapters.map((transport) => [transport.type, transport]));
  }

  /**
   * Finds the transport of a call.
   *
   * @param type - as `ExecutionContext.getType()` returns it
   * @returns `undefined` for a type that no transport handles, such as that of a bot framework
   */
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
