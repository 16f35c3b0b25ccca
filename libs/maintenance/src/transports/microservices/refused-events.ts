import type { ExecutionContext } from '@nestjs/common';
import type { KafkaContext, RmqContext } from '@nestjs/microservices';
import { FailureLog } from '../../utils/failure-log.js';
import { MaintenanceException } from '../../http/maintenance.exception.js';
import { createProblem } from '../../http/problem.js';
import type { HandlerRules } from '../../policy/handler-rules.js';
import type { Refusal } from '../../policy/refusal.js';
import { CALLBACK_TIMEOUT_MS, withTimeout } from '../../utils/with-timeout.js';
import { toErrorMessage } from '../../utils/to-error-message.js';
import { UnackedMessages } from './unacked-messages.js';
import { PausedTopics } from './paused-topics.js';
import type { TransportDeps } from '../transport-deps.interface.js';

/** The context classes of the application's copy of `@nestjs/microservices`. */
export interface RpcContexts {
  RmqContext: typeof RmqContext;
  KafkaContext: typeof KafkaContext;
}

type RefusedEventsDeps = Pick<TransportDeps, 'policy' | 'clock' | 'microservices' | 'statusCode'>;

/** Tells the brokers what to do with refused messages: redeliver, acknowledge or keep them. */
export class RefusedEvents {
  readonly #unackedMessages: UnackedMessages;
  readonly #pausedTopics = new PausedTopics();
  readonly #failures: FailureLog;
  /** Channels of RabbitMQ with manual acknowledgement. */
  readonly #manualAckChannels = new WeakSet<object>();
  /** Messages that were acknowledged here, and contexts whose event is handled. */
  readonly #handled = new WeakSet<object>();
  readonly #pausedContexts = new WeakSet<object>();

  constructor(
    private readonly deps: RefusedEventsDeps,
    private readonly contexts: RpcContexts,
  ) {
    this.#unackedMessages = new UnackedMessages(deps.clock);
    this.#failures = new FailureLog(deps.clock);
  }

  /**
   * Records a channel of RabbitMQ with manual acknowledgement. On any other channel, an acknowledgement is an error.
   */
  addManualAckChannel(channel: object): void {
    this.#manualAckChannels.add(channel);
  }

  /** Whether the event of a context needs nothing more, even if its handlers failed. */
  isHandled(context: object): boolean {
    return this.#handled.has(context);
  }

  /** Whether the event of a context waits at Kafka, with its topic paused. */
  isPaused(context: object): boolean {
    return this.#pausedContexts.has(context);
  }

  /** Whether the sender of a message expects a response. */
  isReplyExpected(context: ExecutionContext): boolean {
    const rpc = context.switchToRpc().getContext<unknown>();
    if (this.#isRmq(rpc)) return getReplyTo(rpc) !== undefined;
    if (this.#isKafka(rpc)) return Boolean(rpc.getMessage().headers?.kafka_replyTopic);
    return true;
  }

  /**
   * Acknowledges a refused request: the sender has received the error, so the broker must not redeliver the message.
   */
  acknowledgeRequest(context: ExecutionContext): void {
    const rpc = context.switchToRpc().getContext<unknown>();
    // A function in `microservices.events` is responsible for all acknowledgements.
    if (this.#isRmq(rpc) && typeof this.deps.microservices.events !== 'function') this.#ack(rpc);
  }

  /**
   * Refuses an event as `microservices.events` requires.
   *
   * @returns the error for the guard to throw, which Nest does not log for events
   */
  async refuse(context: ExecutionContext, rules: HandlerRules, refusal: Refusal): Promise<MaintenanceException> {
    const { events } = this.deps.microservices;
    const rpc = context.switchToRpc().getContext<object>();
    let isHandled = events !== 'redeliver';
    if (events === 'redeliver') this.#keepForRedelivery(rpc, rules);
    else if (typeof events === 'function') isHandled = await this.#callEventHandler(() => events(context, refusal));
    else if (this.#isRmq(rpc)) this.#ack(rpc);
    if (isHandled && typeof rpc === 'object') this.#handled.add(rpc);
    return new MaintenanceException(refusal, createProblem(refusal, this.deps.statusCode));
  }

  /** Releases the events that are no longer refused. */
  releaseAdmitted(): void {
    const isAdmitted = (rules: HandlerRules): boolean => this.#isAdmitted(rules);
    this.#unackedMessages.requeueAdmitted(isAdmitted);
    this.#pausedTopics.resumeAdmitted(isAdmitted);
  }

  /** Forgets all events, when the application closes: the brokers deliver them again. */
  clear(): void {
    this.#unackedMessages.clear();
    this.#pausedTopics.clear();
  }

  /** Calls the function in `microservices.events`. Returns whether it succeeded in time. */
  async #callEventHandler(handleEvent: () => unknown): Promise<boolean> {
    try {
      await withTimeout(handleEvent, this.deps.clock, CALLBACK_TIMEOUT_MS);
      return true;
    } catch (error) {
      // Logged at most once a minute: Nest would log each failure.
      this.#failures.error(
        'microservices.events',
        () => `\`microservices.events\` failed, so the refused event counts as unhandled: ${toErrorMessage(error)}`,
      );
      return false;
    }
  }

  #keepForRedelivery(rpc: unknown, rules: HandlerRules): void {
    // The window may have ended while an exemption of the application was awaited. No later change would release the
    // event.
    const isAdmitted = this.#isAdmitted(rules);
    if (this.#isRmq(rpc) && this.#manualAckChannels.has(rpc.getChannelRef() as object))
      this.#unackedMessages.add(rpc, rules);
    else if (this.#isKafka(rpc)) {
      this.#pausedContexts.add(rpc);
      if (!isAdmitted) this.#pausedTopics.pause(rpc, rules);
    }
    if (isAdmitted) this.releaseAdmitted();
  }

  // Without the functions of the application (`exempt.user`, `exempt.when`): a refused event waits while a window
  // covers its handler.
  #isAdmitted(rules: HandlerRules): boolean {
    const decision = this.deps.policy.decide({ rules, request: null, context: null, isSyncOnly: true });
    return decision === 'admitted' || decision === 'exempt';
  }

  #ack(rpc: RmqContext): void {
    const [channel, message] = [rpc.getChannelRef() as { ack(message: object): void }, rpc.getMessage() as object];
    if (!this.#manualAckChannels.has(channel) || this.#handled.has(message)) return;
    this.#handled.add(message);
    try {
      channel.ack(message);
    } catch {
      // The channel is closed, so RabbitMQ delivers the message again.
    }
  }

  #isRmq(rpc: unknown): rpc is RmqContext {
    return rpc instanceof this.contexts.RmqContext;
  }

  #isKafka(rpc: unknown): rpc is KafkaContext {
    return rpc instanceof this.contexts.KafkaContext;
  }
}

function getReplyTo(rpc: RmqContext): unknown {
  return (rpc.getMessage() as { properties?: { replyTo?: unknown } }).properties?.replyTo;
}
