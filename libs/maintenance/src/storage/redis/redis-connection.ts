import type { RedisAddress } from './redis-address.js';
import { createOwnClient, destroyClient, isReady, sendCommand, type RedisClientLike } from './redis-client.js';
import { ClosedError, NoAnswerError, NotConnectedError, RedisFailure } from './redis-errors.js';

/** Runs commands, each within the time-out, whatever the server does. */
export interface RedisConnection {
  /** @throws {@link RedisFailure} */
  run(key: string, args: string[]): Promise<unknown>;
  close(): void;
}

interface OpenConnection {
  client: RedisClientLike;
  ready: Promise<RedisClientLike>;
}

/**
 * A connection of our own. It is opened by the first command and again by the next one after it broke, so that nothing
 * waits in a queue and a failure is told with its reason. One that did not answer in time is given up.
 */
export class ManagedConnection implements RedisConnection {
  #current: OpenConnection | undefined;
  #isClosed = false;

  constructor(
    private readonly address: RedisAddress,
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
        return await sendCommand(client, key, args);
      });
    } catch (error) {
      // A replica that was the master when the connection was opened: the address may lead to the new one by now.
      const isDemoted = /\bREADONLY\b/.test((error as Error | undefined)?.message ?? '');
      if (used && (error instanceof NoAnswerError || isDemoted)) this.#giveUp(used.client);
      throw new RedisFailure(error, wasSent);
    }
  }

  close(): void {
    this.#isClosed = true;
    if (this.#current) this.#giveUp(this.#current.client);
  }

  async #open(): Promise<OpenConnection> {
    if (!this.#isClosed && !this.#current?.client.isOpen) {
      const client = await createOwnClient(this.address, this.timeout, 'commands');
      // Another command may have been faster meanwhile.
      if (this.#isClosed || this.#current?.client.isOpen) destroyClient(client);
      else {
        if (this.#current) destroyClient(this.#current.client);
        this.#current = { client, ready: this.#connect(client) };
      }
    }
    if (this.#isClosed || !this.#current) throw new ClosedError();
    return this.#current;
  }

  async #connect(client: RedisClientLike): Promise<RedisClientLike> {
    // What goes wrong is told to whoever waits for an answer; an event without a listener would end the process.
    client.on('error', () => undefined);
    await client.connect();
    // Given up meanwhile: what it has opened must not stay open.
    if (this.#current?.client !== client) {
      destroyClient(client);
      throw new ClosedError();
    }
    return client;
  }

  #giveUp(client: RedisClientLike): void {
    if (this.#current?.client === client) this.#current = undefined;
    destroyClient(client);
  }
}

/** A client of the application, which connects and closes it. */
export class ExternalConnection implements RedisConnection {
  #isClosed = false;
  #wasReady = false;
  readonly #ignore = (): void => undefined;

  constructor(
    private readonly client: RedisClientLike,
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
          return await sendCommand(this.client, key, args, abort.signal);
        },
        // What the client has not sent yet it must not send later.
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

  // At the start of an application the client may still be connecting. Later nothing waits for a connection to return.
  async #waitUntilReady(signal: AbortSignal): Promise<void> {
    if (this.#isClosed) throw new ClosedError();
    if (!this.client.isOpen)
      throw new NotConnectedError('the client given is not connected. Call its connect() first.');
    if (!isReady(this.client)) {
      if (this.#wasReady)
        throw new NotConnectedError('the client given has lost its connection, and tries to restore it.');
      await waitUntilReady(this.client, signal);
    }
    this.#wasReady = true;
  }
}

/** Resolves when the client is ready, or nobody waits for it any more. */
function waitUntilReady(client: RedisClientLike, signal: AbortSignal): Promise<void> {
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

async function withRedisTimeout<T>(milliseconds: number, work: () => Promise<T>, tooLate?: () => void): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_resolve, reject) => {
    timer = setTimeout(() => {
      tooLate?.();
      reject(new NoAnswerError(milliseconds));
    }, milliseconds);
  });
  try {
    return await Promise.race([work(), late]);
  } finally {
    clearTimeout(timer);
  }
}
