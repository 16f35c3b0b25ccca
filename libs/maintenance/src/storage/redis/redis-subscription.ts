import { ListenerLoop } from '../listener-loop.js';
import type { ListeningClient } from './redis-client.js';

/** Two attempts to subscribe are at most so many milliseconds apart. */
const MAX_RETRY_DELAY_MS = 2_000;

/**
 * Listens to a channel over its own connection, and reconnects whenever that breaks. Messages published while
 * disconnected are lost, so `onChange` is called after every reconnect.
 */
export class RedisSubscription {
  readonly #loop: ListenerLoop;
  #client: ListeningClient | undefined;

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
    this.#loop = new ListenerLoop({
      listen: (onListening) => this.#listen(onListening),
      disconnect: () => this.#client?.destroy(),
      onChange,
      readyTimeoutMs,
      getMaxRetryDelayMs: () => MAX_RETRY_DELAY_MS,
    });
  }

  /** Resolves when subscribed, or after the first attempt failed. */
  get ready(): Promise<void> {
    return this.#loop.ready;
  }

  /** Ends the subscription and its connection. */
  close(): void {
    this.#loop.close();
  }

  async #listen(onListening: () => void): Promise<void> {
    const client = await this.createClient();
    this.#client = client;
    if (this.#loop.isClosed) return;
    const notify = (): void => void (!this.#loop.isClosed && this.onChange());
    await new Promise<void>((resolve, reject) => {
      const subscribed = client.listen(this.channel, notify, resolve).then(() => {
        onListening();
        if (this.#loop.isClosed) client.destroy();
      });
      subscribed.catch(reject);
    });
  }
}
