import type { ListeningClient } from './redis-client.js';

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
  #client: ListeningClient | undefined;
  #endPause: () => void = () => undefined;

  /**
   * @param createClient - creates a client that is not connected yet
   * @param onChange - called when a message was published, or may have been
   * @param readyTimeoutMs - {@link RedisSubscription.ready} resolves after so many milliseconds at the latest
   */
  constructor(
    private readonly createClient: () => Promise<ListeningClient>,
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
    this.#client?.destroy();
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
      this.#client?.destroy();
      this.#markReady();
      await this.#pause(failures);
    }
  }

  /** Resolves when the connection has ended. */
  async #listen(onSubscribed: () => void): Promise<void> {
    const client = await this.createClient();
    this.#client = client;
    if (this.#isClosed) return;
    const notify = (): void => void (!this.#isClosed && this.onChange());
    await new Promise<void>((resolve, reject) => {
      const subscribed = client.listen(this.channel, notify, resolve).then(() => {
        onSubscribed();
        if (this.#isReady) notify();
        this.#markReady();
        if (this.#isClosed) client.destroy();
      });
      subscribed.catch(reject);
    });
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
