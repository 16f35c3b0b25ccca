import type { CommandClient, NodeRedisClientLike } from './redis-client.js';
import { ClosedError, isReply, NoAnswerError, NotConnectedError, RedisFailure } from './redis-errors.js';

/** Runs commands, each within the timeout, whatever the server does. */
export interface RedisConnection {
  /**
   * Runs a command.
   *
   * @param key - the key that decides on the node of a cluster
   * @param args - the command and its arguments
   * @throws {@link RedisFailure} if the command fails or gets no answer in time
   */
  run(key: string, args: string[]): Promise<unknown>;
  /** Makes all further commands fail, and closes the connection unless it belongs to the application. */
  close(): void;
}

interface OpenConnection {
  client: CommandClient;
  ready: Promise<CommandClient>;
}

/**
 * Opens a connection of our own with the first command, and again with the next command after it broke. Commands never
 * wait in an offline queue, so that each failure is reported with its reason. A connection that does not answer in time
 * is dropped.
 */
export class ManagedConnection implements RedisConnection {
  #current: OpenConnection | undefined;
  #isClosed = false;

  /** @param createClient - creates a client that is not connected yet, and does not reconnect */
  constructor(
    private readonly createClient: () => Promise<CommandClient>,
    private readonly timeout: number,
  ) {}

  async run(key: string, args: string[]): Promise<unknown> {
    let used = this.#current;
    let wasSent = false;
    try {
      return await withRedisTimeout(this.timeout, async () => {
        used = await this.#open();
        const client = await used.ready;
        wasSent = true;
        return await client.sendCommand(key, args);
      });
    } catch (error) {
      // The master became a replica after the connection was opened: the address may lead to the new master by now.
      const isDemoted = /\bREADONLY\b/.test((error as Error | undefined)?.message ?? '');
      if (used && (!isReply(error) || isDemoted)) this.#drop(used.client);
      throw new RedisFailure(error, wasSent);
    }
  }

  close(): void {
    this.#isClosed = true;
    if (this.#current) this.#drop(this.#current.client);
  }

  async #open(): Promise<OpenConnection> {
    if (!this.#isClosed && !this.#current?.client.isOpen) {
      const client = await this.createClient();
      // Another command may have opened a connection meanwhile.
      if (this.#isClosed || this.#current?.client.isOpen) client.destroy();
      else {
        this.#current?.client.destroy();
        this.#current = { client, ready: this.#connect(client) };
      }
    }
    if (this.#isClosed || !this.#current) throw new ClosedError();
    return this.#current;
  }

  async #connect(client: CommandClient): Promise<CommandClient> {
    await client.connect();
    // Dropped or closed meanwhile: do not leave the connection open.
    if (this.#current?.client !== client) {
      client.destroy();
      throw new ClosedError();
    }
    return client;
  }

  #drop(client: CommandClient): void {
    if (this.#current?.client === client) this.#current = undefined;
    client.destroy();
  }
}

/** Runs commands on a client of the `redis` package that the application connects and closes. */
export class ExternalConnection implements RedisConnection {
  #isClosed = false;
  #wasReady = false;
  readonly #ignore = (): void => undefined;

  constructor(
    private readonly client: NodeRedisClientLike,
    private readonly commands: Pick<CommandClient, 'sendCommand'>,
    private readonly timeout: number,
  ) {
    client.on('error', this.#ignore);
  }

  async run(key: string, args: string[]): Promise<unknown> {
    const abort = new AbortController();
    try {
      return await withRedisTimeout(
        this.timeout,
        async () => {
          await this.#waitUntilReady(abort.signal);
          return await this.commands.sendCommand(key, args, abort.signal);
        },
        // Remove the command from the client's queue, so that it is not sent later.
        () => abort.abort(),
      );
    } catch (error) {
      throw new RedisFailure(error, !(error instanceof NotConnectedError || error instanceof ClosedError));
    }
  }

  close(): void {
    this.#isClosed = true;
    this.client.off('error', this.#ignore);
  }

  // The client may still be connecting while the application starts. Later, no command waits for a reconnect.
  async #waitUntilReady(signal: AbortSignal): Promise<void> {
    if (this.#isClosed) throw new ClosedError();
    if (!this.client.isOpen) {
      throw new NotConnectedError('the given client is not connected. Call its connect() first.');
    }
    // A cluster client does not tell whether it is ready.
    if (!(this.client.isReady ?? true)) {
      if (this.#wasReady) {
        throw new NotConnectedError('the given client has lost its connection and is reconnecting. Try again later.');
      }
      await waitUntilReady(this.client, signal);
    }
    this.#wasReady = true;
  }
}

/** Resolves when the client is ready, or the signal is aborted. */
function waitUntilReady(client: NodeRedisClientLike, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const end = (): void => {
      client.off('ready', end);
      signal.removeEventListener('abort', end);
      resolve();
    };
    client.on('ready', end);
    signal.addEventListener('abort', end);
  });
}

/** @param onTimeout - called before the promise rejects */
async function withRedisTimeout<T>(timeoutMs: number, work: () => Promise<T>, onTimeout?: () => void): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const timeout = new Promise<never>((_resolve, reject) => {
    timer = setTimeout(() => {
      onTimeout?.();
      reject(new NoAnswerError(timeoutMs));
    }, timeoutMs);
  });
  try {
    return await Promise.race([work(), timeout]);
  } finally {
    clearTimeout(timer);
  }
}
