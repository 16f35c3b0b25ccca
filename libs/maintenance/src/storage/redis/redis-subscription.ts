import { destroyClient, type RedisClientLike } from './redis-client.js';

/** Two attempts to subscribe are at most so many milliseconds apart. */
const MAX_RETRY_DELAY_MS = 2_000;

/**
 * Listens to a channel over its own connection, and reconnects whenever that breaks. Messages published while
 * disconnected are lost, so `onChange` is called after every reconnect.
 */
export class RedisSubscription {
  /** Resolves when subscribed, or after the first attempt failed. */
  readonly ready: Promise<void>;
  #resolve: () => void = () => undefined;
  #isReady = false;
  #isClosed = false;
  #client: RedisClientLike | undefined;
  #endPause: () => void = () => undefined;

  /**
   * @param createClient - creates a client that is not connected yet
   * @param onChange - called when a message was published, or may have been
   * @param readyTimeoutMs - {@link RedisSubscription.ready} resolves after so many milliseconds at the latest
   */
  constructor(
    private readonly createClient: () => Promise<RedisClientLike>,
    private readonly channel: string,
    private readonly onChange: () => void,
    readyTimeoutMs: number,
  ) {
    this.ready = new Promise((resolve) => (this.#resolve = resolve));
    const timer = setTimeout(() => this.#markReady(), readyTimeoutMs);
    void this.ready.then(() => clearTimeout(timer));
    void this.#run();
  }

  /** Ends the subscription and its connection. */
  close(): void {
    this.#isClosed = true;
    if (this.#client) destroyClient(this.#client);
    this.#endPause();
    this.#markReady();
  }

  #markReady(): void {
    this.#isReady = true;
    this.#resolve();
  }

  async #run(): Promise<void> {
    for (let failures = 0; !this.#isClosed; failures++) {
      try {
        await this.#listen(() => (failures = 0));
      } catch {
        // The polls continue, and report the failure.
      }
      if (this.#client) destroyClient(this.#client);
      this.#markReady();
      await this.#pause(failures);
    }
  }

  /** Resolves when the connection has ended. */
  async #listen(onSubscribed: () => void): Promise<void> {
    const client = await this.createClient();
    this.#client = client;
    if (this.#isClosed) return;
    const ended = new Promise<void>((resolve) => {
      client.on('error', () => !client.isOpen && resolve());
      client.on('end', () => resolve());
      client.on('disconnect', () => resolve());
    });
    await client.connect();
    await client.subscribe(this.channel, () => !this.#isClosed && this.onChange());
    onSubscribed();
    // Cluster and Sentinel clients reconnect and resubscribe on their own, before they emit these events.
    for (const event of ['node-ready', 'ready']) client.on(event, () => !this.#isClosed && this.onChange());
    if (this.#isReady && !this.#isClosed) this.onChange();
    this.#markReady();
    if (this.#isClosed) destroyClient(client);
    await ended;
  }

  #pause(failures: number): Promise<void> {
    if (this.#isClosed) return Promise.resolve();
    const delay = Math.min(50 * 2 ** failures, MAX_RETRY_DELAY_MS) * (0.75 + Math.random() / 4);
    return new Promise((resolve) => {
      // The retry must not keep the process alive.
      const timer = setTimeout(resolve, delay).unref();
      this.#endPause = () => {
        clearTimeout(timer);
        resolve();
      };
    });
  }
}
