import type { KafkaContext } from '@nestjs/microservices';
import type { HandlerRules } from '../../policy/handler-rules.js';

interface Topic {
  topic: string;
}

interface Consumer {
  pause(topics: Topic[]): void;
  resume(topics: Topic[]): void;
}

/**
 * Topics of Kafka that rest until the window is over. A refused event is thrown back, so that its offset is not committed; without
 * the pause it would come back at once. The topic rests as a whole: its other partitions would be refused one by one.
 */
export class PausedTopics {
  readonly #topicsByConsumer = new Map<Consumer, Map<string, HandlerRules>>();

  pause(context: KafkaContext, rules: HandlerRules): void {
    const consumer = context.getConsumer() as unknown as Consumer;
    const topics = this.#topicsByConsumer.get(consumer) ?? new Map<string, HandlerRules>();
    this.#topicsByConsumer.set(consumer, topics.set(context.getTopic(), rules));
    // All of them: a client that has started anew after a failure has forgotten the others.
    consumer.pause([...topics.keys()].map((topic) => ({ topic })));
  }

  /** Goes on with what is no longer refused. */
  resumeAdmitted(isOpen: (rules: HandlerRules) => boolean): void {
    for (const [consumer, topics] of this.#topicsByConsumer) {
      const open = [...topics].filter(([, rules]) => isOpen(rules)).map(([topic]) => ({ topic }));
      for (const { topic } of open) topics.delete(topic);
      if (topics.size === 0) this.#topicsByConsumer.delete(consumer);
      try {
        if (open.length > 0) consumer.resume(open);
      } catch {
        // The consumer is closed.
      }
    }
  }

  close(): void {
    this.#topicsByConsumer.clear();
  }
}
