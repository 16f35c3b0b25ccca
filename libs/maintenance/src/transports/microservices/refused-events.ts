import type { ExecutionContext } from '@nestjs/common';
import type { KafkaContext, RmqContext } from '@nestjs/microservices';
import { FailureLog } from '../../utils/failure-log.js';
import { MaintenanceException } from '../../http/maintenance.exception.js';
import { problemOf } from '../../http/problem.js';
import type { HandlerRules } from '../../policy/handler-rules.js';
import type { Refusal } from '../../policy/refusal.js';
import { inTime } from '../../utils/in-time.js';
import { reasonOf } from '../../utils/reason-of.js';
import { HeldMessages } from './held-messages.js';
import { PausedTopics } from './paused-topics.js';
import type { TransportParts } from '../transport-parts.js';

/** The classes of the application's own copy of the package. */
export interface RpcContexts {
  RmqContext: typeof RmqContext;
  KafkaContext: typeof KafkaContext;
}

type Parts = Pick<TransportParts, 'policy' | 'clock' | 'microservices' | 'statusCode'>;

/** How long the function `microservices.events` may take for an event, in milliseconds. */
const ANSWER_TIMEOUT_MS = 5_000;

/** What happens to messages that are refused, at the broker from which they came. */
export class RefusedEvents {
  readonly #held: HeldMessages;
  readonly #topics = new PausedTopics();
  readonly #failures: FailureLog;
  /** Channels of RabbitMQ whose messages want to be acknowledged. */
  readonly #manual = new WeakSet<object>();
  /** Messages that were acknowledged here, and contexts whose event is dealt with. */
  readonly #done = new WeakSet<object>();
  readonly #resting = new WeakSet<object>();

  constructor(
    private readonly parts: Parts,
    private readonly contexts: RpcContexts,
  ) {
    this.#held = new HeldMessages(parts.clock);
    this.#failures = new FailureLog(parts.clock);
  }

  /** Takes note of a channel of RabbitMQ on which messages wait for an acknowledgement. On any other, one would be an error. */
  noteManual(channel: object): void {
    this.#manual.add(channel);
  }

  /** Whether the event needs nothing more, whatever its handlers gave. */
  isDone(context: object): boolean {
    return this.#done.has(context);
  }

  /** Whether the event waits at Kafka: its topic rests. */
  isResting(context: object): boolean {
    return this.#resting.has(context);
  }

  /** Whether whoever sent the message waits for an answer. */
  isAsked(context: ExecutionContext): boolean {
    const rpc = context.switchToRpc().getContext<unknown>();
    if (this.#isRmq(rpc)) return replyToOf(rpc) !== undefined;
    if (this.#isKafka(rpc)) return Boolean(rpc.getMessage().headers?.kafka_replyTopic);
    return true;
  }

  /** A refused request was answered: its message must not wait at the broker any more. */
  answered(context: ExecutionContext): void {
    const rpc = context.switchToRpc().getContext<unknown>();
    // Who deals with events by a function deals with acknowledgements.
    if (this.#isRmq(rpc) && typeof this.parts.microservices.events !== 'function') this.#ack(rpc);
  }

  /**
   * Refuses an event as the option says.
   *
   * @returns what the guard throws; Nest logs it for no event
   */
  async refuse(context: ExecutionContext, rules: HandlerRules, refusal: Refusal): Promise<MaintenanceException> {
    const { events } = this.parts.microservices;
    const rpc = context.switchToRpc().getContext<object>();
    let isDealtWith = events !== 'redeliver';
    if (events === 'redeliver') this.#keep(rpc, rules);
    else if (typeof events === 'function') isDealtWith = await this.#handOver(() => events(context, refusal));
    else if (this.#isRmq(rpc)) this.#ack(rpc);
    if (isDealtWith && typeof rpc === 'object') this.#done.add(rpc);
    return new MaintenanceException(refusal, problemOf(refusal, this.parts.statusCode));
  }

  /** Lets go of what is no longer refused. */
  review(): void {
    const isOpen = (rules: HandlerRules): boolean => this.#isOpen(rules);
    this.#held.review(isOpen);
    this.#topics.review(isOpen);
  }

  close(): void {
    this.#held.close();
    this.#topics.close();
  }

  /** Gives an event to the application. */
  async #handOver(work: () => unknown): Promise<boolean> {
    try {
      await inTime(work, this.parts.clock, ANSWER_TIMEOUT_MS);
      return true;
    } catch (error) {
      // Nest would log each of them.
      this.#failures.error(
        'microservices.events',
        () => `\`microservices.events\` failed, so the refused event counts as not dealt with: ${reasonOf(error)}`,
      );
      return false;
    }
  }

  #keep(rpc: unknown, rules: HandlerRules): void {
    // The window may have ended while the policy asked the application: then nobody would come back for the event.
    const isOver = this.#isOpen(rules);
    if (this.#isRmq(rpc) && this.#manual.has(rpc.getChannelRef() as object)) this.#held.hold(rpc, rules);
    else if (this.#isKafka(rpc)) {
      this.#resting.add(rpc);
      if (!isOver) this.#topics.pause(rpc, rules);
    }
    if (isOver) this.review();
  }

  // Without the application's own conditions: while a window covers the handler, what it once refused may wait.
  #isOpen(rules: HandlerRules): boolean {
    const decision = this.parts.policy.decide({ rules, request: null, context: null, isEarly: true });
    return decision === 'admitted' || decision === 'exempt';
  }

  #ack(rpc: RmqContext): void {
    const [channel, message] = [rpc.getChannelRef() as { ack(message: object): void }, rpc.getMessage() as object];
    if (!this.#manual.has(channel) || this.#done.has(message)) return;
    this.#done.add(message);
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

function replyToOf(rpc: RmqContext): unknown {
  return (rpc.getMessage() as { properties?: { replyTo?: unknown } }).properties?.replyTo;
}
