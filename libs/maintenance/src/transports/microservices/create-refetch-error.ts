interface KafkaJs {
  /** Makes the client fetch again. Exported, but missing in the types. */
  KafkaJSFetcherRebalanceError?: new (message: string) => Error;
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
    const loaded = (await import(name)) as KafkaJs & { default?: KafkaJs };
    const Rebalance = loaded.KafkaJSFetcherRebalanceError ?? loaded.default?.KafkaJSFetcherRebalanceError;
    return Rebalance ? new Rebalance('The event was refused because of maintenance. Its topic is paused.') : fallback;
  } catch {
    return fallback;
  }
}
