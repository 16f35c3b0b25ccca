import type { RmqContext } from '@nestjs/microservices';
import type { HandlerRules } from '../../policy/handler-rules.js';
import type { Clock } from '../../utils/clock.js';

/**
 * Milliseconds. RabbitMQ closes the channel of a consumer that keeps a message for longer than its `consumer_timeout`, 30 minutes
 * unless it was changed, and the client then loses its connection for a while.
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
 * Events of RabbitMQ that wait, not acknowledged, until the window is over. Requeued at once they would come back at once, again and
 * again.
 */
export class UnackedMessages {
  readonly #messages = new Map<object, UnackedMessage>();
  #cancelTimer: (() => void) | null = null;

  constructor(private readonly clock: Clock) {}

  /** Keeps the event. One that several handlers have refused is kept once. */
  add(context: RmqContext, rules: HandlerRules): void {
    const message = context.getMessage() as object;
    if (!this.#messages.has(message))
      this.#messages.set(message, { channel: context.getChannelRef() as Channel, rules });
    this.#cancelTimer ??= this.clock.wake(() => this.requeueAdmitted(() => true), MAX_UNACKED_MS);
  }

  /** Gives back what is no longer refused; the broker delivers it again. */
  requeueAdmitted(isOpen: (rules: HandlerRules) => boolean): void {
    // In the order in which they came.
    for (const [message, { channel, rules }] of [...this.#messages]) {
      if (!isOpen(rules)) continue;
      this.#messages.delete(message);
      try {
        channel.nack(message, false, true);
      } catch {
        // The channel is closed, so the broker has the message again already.
      }
    }
    if (this.#messages.size === 0) this.#stopTimer();
  }

  /** Forgets everything: the broker takes back what is on a channel that closes. */
  close(): void {
    this.#messages.clear();
    this.#stopTimer();
  }

  #stopTimer(): void {
    this.#cancelTimer?.();
    this.#cancelTimer = null;
  }
}
