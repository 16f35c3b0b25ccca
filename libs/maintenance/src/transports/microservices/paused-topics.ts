import type { KafkaContext } from '@nestjs/microservices';
import type { KafkaJsInternals } from '../../nest-internals.js';
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

  /** Forgets all topics: they belong to consumers that are closed. */
  clear(): void {
    this.#topicsByConsumer.clear();
  }
}

/**
 * Creates the error with which the client of Kafka continues at once with the topics that are not paused. After any
 * other error it waits, longer each time, and restarts after a few.
 *
 * @param fallback - the error to use if the client has no such error, or if its package can't be found from here
 */
export async function createRefetchError(fallback: unknown): Promise<unknown> {
  // A variable, so that neither the compiler nor a bundler resolves it: the package need not be installed.
  const name = 'kafkajs';
  try {
    const loaded = (await import(name)) as KafkaJsInternals & { default?: KafkaJsInternals };
    const Rebalance = loaded.KafkaJSFetcherRebalanceError ?? loaded.default?.KafkaJSFetcherRebalanceError;
    return Rebalance ? new Rebalance('The event was refused because of maintenance. Its topic is paused.') : fallback;
  } catch {
    return fallback;
  }
}
