import type { RmqContext } from '@nestjs/microservices';
import type { HandlerRules } from '../../policy/handler-rules.js';
import type { Clock } from '../../utils/clock.js';

/**
 * Below RabbitMQ's `consumer_timeout` (30 minutes by default), after which it closes the channel of a consumer that has
 * not acknowledged a message. The client then loses its connection for a while.
 */
const MAX_UNACKED_MS = 20 * 60_000;

interface Channel {
  ack(message: object): void;
  nack(message: object, allUpTo: boolean, requeue: boolean): void;
}

interface UnackedMessage {
  channel: Channel;
  rules: HandlerRules;
}

/**
 * Keeps refused events of RabbitMQ unacknowledged until the window ends. If they were requeued at once, RabbitMQ would
 * deliver them again at once.
 */
export class UnackedMessages {
  readonly #messages = new Map<object, UnackedMessage>();
  #cancelTimer: (() => void) | null = null;

  constructor(private readonly clock: Clock) {}

  /** Adds an event. One that is refused for several handlers is added once. */
  add(context: RmqContext, rules: HandlerRules): void {
    const message = context.getMessage() as object;
    if (!this.#messages.has(message))
      this.#messages.set(message, { channel: context.getChannelRef() as Channel, rules });
    this.#cancelTimer ??= this.clock.wake(() => this.requeueAdmitted(() => true), MAX_UNACKED_MS);
  }

  /** Requeues the events that are no longer refused; RabbitMQ delivers them again. */
  requeueAdmitted(isAdmitted: (rules: HandlerRules) => boolean): void {
    // In the order in which they arrived.
    for (const [message, { channel, rules }] of [...this.#messages]) {
      if (!isAdmitted(rules)) continue;
      this.#messages.delete(message);
      try {
        channel.nack(message, false, true);
      } catch {
        // The channel is closed, so RabbitMQ has already requeued the message.
      }
    }
    if (this.#messages.size === 0) this.#stopTimer();
  }

  /** Forgets all events: RabbitMQ requeues the messages of a channel that closes. */
  clear(): void {
    this.#messages.clear();
    this.#stopTimer();
  }

  #stopTimer(): void {
    this.#cancelTimer?.();
    this.#cancelTimer = null;
  }
}
