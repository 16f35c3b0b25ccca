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
 * Pauses topics of Kafka until the window ends.
 *
 * The handler of a refused event fails, so that its offset is not committed; without the pause, Kafka would deliver the
 * event again at once. The whole topic is paused, because events of its other partitions would be refused one by one.
 */
export class PausedTopics {
  readonly #topicsByConsumer = new Map<Consumer, Map<string, HandlerRules>>();

  /** Pauses the topic of a refused event. */
  pause(context: KafkaContext, rules: HandlerRules): void {
    const consumer = context.getConsumer() as unknown as Consumer;
    const topics = this.#topicsByConsumer.get(consumer) ?? new Map<string, HandlerRules>();
    this.#topicsByConsumer.set(consumer, topics.set(context.getTopic(), rules));
    // All paused topics: a client that has restarted after a failure has forgotten the others.
    consumer.pause([...topics.keys()].map((topic) => ({ topic })));
  }

  /** Resumes the topics whose events are no longer refused. */
  resumeAdmitted(isAdmitted: (rules: HandlerRules) => boolean): void {
    for (const [consumer, topics] of this.#topicsByConsumer) {
      const admitted = [...topics].filter(([, rules]) => isAdmitted(rules)).map(([topic]) => ({ topic }));
      for (const { topic } of admitted) topics.delete(topic);
      if (topics.size === 0) this.#topicsByConsumer.delete(consumer);
      try {
        if (admitted.length > 0) consumer.resume(admitted);
      } catch {
        // The consumer is closed.
      }
    }
  }

  clear(): void {
    this.#topicsByConsumer.clear();
  }
}
