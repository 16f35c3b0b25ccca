import type { ExecutionContext } from '@nestjs/common';
import type { KafkaContext, RmqContext } from '@nestjs/microservices';
import { FailureLog } from '../../utils/failure-log.js';
import { MaintenanceException } from '../../http/maintenance.exception.js';
import { createProblem } from '../../http/problem.js';
import type { HandlerRules } from '../../policy/handler-rules.js';
import type { Refusal } from '../../policy/refusal.js';
import { withTimeout } from '../../utils/with-timeout.js';
import { toErrorMessage } from '../../utils/to-error-message.js';
import { UnackedMessages } from './unacked-messages.js';
import { PausedTopics } from './paused-topics.js';
import type { TransportDeps } from '../transport-deps.interface.js';

/** The classes of the application's own copy of the package. */
export interface RpcContexts {
  RmqContext: typeof RmqContext;
  KafkaContext: typeof KafkaContext;
}

type RefusedEventsDeps = Pick<TransportDeps, 'policy' | 'clock' | 'microservices' | 'statusCode'>;

/** How long the function `microservices.events` may take for an event, in milliseconds. */
const EVENT_HANDLER_TIMEOUT_MS = 5_000;

/** What happens to messages that are refused, at the broker from which they came. */
export class RefusedEvents {
  readonly #unackedMessages: UnackedMessages;
  readonly #pausedTopics = new PausedTopics();
  readonly #failures: FailureLog;
  /** Channels of RabbitMQ whose messages want to be acknowledged. */
  readonly #manualAckChannels = new WeakSet<object>();
  /** Messages that were acknowledged here, and contexts whose event is dealt with. */
  readonly #handled = new WeakSet<object>();
  readonly #pausedContexts = new WeakSet<object>();

  constructor(
    private readonly deps: RefusedEventsDeps,
    private readonly contexts: RpcContexts,
  ) {
    this.#unackedMessages = new UnackedMessages(deps.clock);
    this.#failures = new FailureLog(deps.clock);
  }

  /** Takes note of a channel of RabbitMQ on which messages wait for an acknowledgement. On any other, one would be an error. */
  addManualAckChannel(channel: object): void {
    this.#manualAckChannels.add(channel);
  }

  /** Whether the event needs nothing more, whatever its handlers gave. */
  isHandled(context: object): boolean {
    return this.#handled.has(context);
  }

  /** Whether the event waits at Kafka: its topic rests. */
  isPaused(context: object): boolean {
    return this.#pausedContexts.has(context);
  }

  /** Whether whoever sent the message waits for an answer. */
  isReplyExpected(context: ExecutionContext): boolean {
    const rpc = context.switchToRpc().getContext<unknown>();
    if (this.#isRmq(rpc)) return getReplyTo(rpc) !== undefined;
    if (this.#isKafka(rpc)) return Boolean(rpc.getMessage().headers?.kafka_replyTopic);
    return true;
  }

  /** A refused request was answered: its message must not wait at the broker any more. */
  acknowledgeRequest(context: ExecutionContext): void {
    const rpc = context.switchToRpc().getContext<unknown>();
    // Who deals with events by a function deals with acknowledgements.
    if (this.#isRmq(rpc) && typeof this.deps.microservices.events !== 'function') this.#ack(rpc);
  }

  /**
   * Refuses an event as the option says.
   *
   * @returns what the guard throws; Nest logs it for no event
   */
  async refuse(context: ExecutionContext, rules: HandlerRules, refusal: Refusal): Promise<MaintenanceException> {
    const { events } = this.deps.microservices;
    const rpc = context.switchToRpc().getContext<object>();
    let isDealtWith = events !== 'redeliver';
    if (events === 'redeliver') this.#keepForRedelivery(rpc, rules);
    else if (typeof events === 'function') isDealtWith = await this.#callEventHandler(() => events(context, refusal));
    else if (this.#isRmq(rpc)) this.#ack(rpc);
    if (isDealtWith && typeof rpc === 'object') this.#handled.add(rpc);
    return new MaintenanceException(refusal, createProblem(refusal, this.deps.statusCode));
  }

  /** Lets go of what is no longer refused. */
  releaseAdmitted(): void {
    const isOpen = (rules: HandlerRules): boolean => this.#isAdmitted(rules);
    this.#unackedMessages.requeueAdmitted(isOpen);
    this.#pausedTopics.resumeAdmitted(isOpen);
  }

  close(): void {
    this.#unackedMessages.close();
    this.#pausedTopics.close();
  }

  /** Gives an event to the application. */
  async #callEventHandler(work: () => unknown): Promise<boolean> {
    try {
      await withTimeout(work, this.deps.clock, EVENT_HANDLER_TIMEOUT_MS);
      return true;
    } catch (error) {
      // Nest would log each of them.
      this.#failures.error(
        'microservices.events',
        () =>
          `\`microservices.events\` failed, so the refused event counts as not dealt with: ${toErrorMessage(error)}`,
      );
      return false;
    }
  }

  #keepForRedelivery(rpc: unknown, rules: HandlerRules): void {
    // The window may have ended while the policy asked the application: then nobody would come back for the event.
    const isOver = this.#isAdmitted(rules);
    if (this.#isRmq(rpc) && this.#manualAckChannels.has(rpc.getChannelRef() as object))
      this.#unackedMessages.add(rpc, rules);
    else if (this.#isKafka(rpc)) {
      this.#pausedContexts.add(rpc);
      if (!isOver) this.#pausedTopics.pause(rpc, rules);
    }
    if (isOver) this.releaseAdmitted();
  }

  // Without the application's own conditions: while a window covers the handler, what it once refused may wait.
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
      // The channel is closed, and the broker will deliver the message again.
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
