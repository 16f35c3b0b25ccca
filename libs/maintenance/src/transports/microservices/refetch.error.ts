interface KafkaJs {
  /** Tells the client to look again what there is to fetch. Exported, though not among the types. */
  KafkaJSFetcherRebalanceError?: new (message: string) => Error;
}

/**
 * What makes the client of Kafka go on with the topics that do not rest. After any other error it waits, longer each time, and
 * starts anew after a few.
 *
 * @param otherwise - what to throw where the client has no such error, or can't be found from here
 */
export async function createRefetchError(otherwise: unknown): Promise<unknown> {
  // Not a name that a compiler or a bundler would look for: the package need not be installed.
  const name = 'kafkajs';
  try {
    const loaded = (await import(name)) as KafkaJs & { default?: KafkaJs };
    const Rebalance = loaded.KafkaJSFetcherRebalanceError ?? loaded.default?.KafkaJSFetcherRebalanceError;
    return Rebalance ? new Rebalance('Refused because of maintenance; the topic is paused.') : otherwise;
  } catch {
    return otherwise;
  }
}
