import { destroyClient, type RedisClientLike } from './redis-client.js';

/** The longest pause between two attempts to subscribe, in milliseconds. */
const MAX_RETRY_DELAY_MS = 2_000;

/**
 * Listens to a channel, over a connection of its own that is opened again whenever it breaks. What was published
 * meanwhile is lost, hence a call after each return.
 */
export class RedisSubscription {
  /** Resolves when the channel is heard, or was tried in vain for the first time; later changes are told after that. */
  readonly ready: Promise<void>;
  #resolve: () => void = () => undefined;
  #isReady = false;
  #isClosed = false;
  #client: RedisClientLike | undefined;
  #endPause: () => void = () => undefined;

  /**
   * @param create - makes a client that is not connected yet
   * @param onChange - something was published, or may have been
   * @param patience - the longest time to {@link ready}, in milliseconds
   */
  constructor(
    private readonly create: () => Promise<RedisClientLike>,
    private readonly channel: string,
    private readonly onChange: () => void,
    patience: number,
  ) {
    this.ready = new Promise((resolve) => (this.#resolve = resolve));
    const timer = setTimeout(() => this.#markReady(), patience);
    void this.ready.then(() => clearTimeout(timer));
    void this.#run();
  }

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
        // What is wrong is told by the reads, which go on.
      }
      if (this.#client) destroyClient(this.#client);
      this.#markReady();
      await this.#pause(failures);
    }
  }

  /** Ends when the connection does. */
  async #listen(heard: () => void): Promise<void> {
    const client = await this.create();
    this.#client = client;
    if (this.#isClosed) return;
    const ended = new Promise<void>((resolve) => {
      client.on('error', () => !client.isOpen && resolve());
      client.on('end', () => resolve());
      client.on('disconnect', () => resolve());
    });
    await client.connect();
    await client.subscribe(this.channel, () => !this.#isClosed && this.onChange());
    heard();
    // A cluster and sentinels open single connections again by themselves, and subscribe again before they say so.
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
      // Waiting for a server must not keep a process alive that has nothing else to do.
      const timer = setTimeout(resolve, delay).unref();
      this.#endPause = () => {
        clearTimeout(timer);
        resolve();
      };
    });
  }
}
