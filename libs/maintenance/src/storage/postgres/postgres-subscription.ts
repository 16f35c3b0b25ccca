import { ListenerLoop } from '../listener-loop.js';
import type { PostgresListener } from './postgres-client.js';

/** Two attempts to listen are at most so many milliseconds apart, and so many after many failures. */
const MAX_RETRY_DELAY_MS = 2_000;
const MAX_RETRY_DELAY_AFTER_MANY_MS = 30_000;
const MANY_FAILURES = 15;
/** A query is sent every so many milliseconds: a connection that was cut without a word shows no other sign. */
const PING_INTERVAL_MS = 30_000;

/** The settings of a {@link PostgresSubscription}. */
export interface PostgresSubscriptionOptions {
  /** Creates a client that is not connected yet. */
  createClient: () => Promise<PostgresListener>;
  channel: string;
  /** Whether to listen even through a pooler. */
  isForced: boolean;
  /** Called when a change was published, or may have been. */
  onChange: () => void;
  /** Called if the connection leads through a pooler, which may lose notifications. The subscription has ended then. */
  onPooler: () => void;
  /** {@link PostgresSubscription.ready} resolves after so many milliseconds at the latest. */
  readyTimeoutMs: number;
}

/**
 * Listens to a channel over its own connection, and reconnects whenever that breaks. Notifications that were sent while
 * disconnected are lost, so `onChange` is called after every reconnect.
 */
export class PostgresSubscription {
  readonly #options: PostgresSubscriptionOptions;
  readonly #loop: ListenerLoop;
  #client: PostgresListener | undefined;

  constructor(options: PostgresSubscriptionOptions) {
    const { onChange, readyTimeoutMs } = options;
    this.#options = options;
    this.#loop = new ListenerLoop({
      listen: (onListening) => this.#listen(onListening),
      disconnect: () => this.#destroyClient(),
      onChange,
      readyTimeoutMs,
      getMaxRetryDelayMs: (failures) => (failures < MANY_FAILURES ? MAX_RETRY_DELAY_MS : MAX_RETRY_DELAY_AFTER_MANY_MS),
    });
  }

  /** Resolves when listening, or after the first attempt failed. */
  get ready(): Promise<void> {
    return this.#loop.ready;
  }

  /** Ends the subscription and its connection. */
  close(): void {
    this.#loop.close();
  }

  async #listen(onListening: () => void): Promise<void> {
    const { createClient, channel, onChange } = this.#options;
    const client = await createClient();
    this.#client = client;
    if (this.#loop.isClosed) return;
    const ended = new Promise<void>((resolve) => {
      client.on('error', () => resolve());
      client.on('end', () => resolve());
    });
    client.on('notification', () => !this.#loop.isClosed && onChange());
    await client.connect();
    if (!this.#options.isForced && (await isBehindPooler(client))) return this.#giveUp();
    await client.query(`LISTEN ${channel}`);
    onListening();
    if (this.#loop.isClosed) return;
    const pings = setInterval(() => void client.query('SELECT 1').catch(() => this.#destroyClient()), PING_INTERVAL_MS);
    pings.unref();
    await ended.finally(() => clearInterval(pings));
  }

  #giveUp(): void {
    if (this.#loop.isClosed) return;
    this.close();
    this.#options.onPooler();
  }

  #destroyClient(): void {
    const client = this.#client;
    this.#client = undefined;
    if (!client) return;
    // The server may be frozen: the goodbye must not keep the process alive.
    void client.end().catch(() => undefined);
    client.unref();
  }
}

/** Whether a pooler has answered the client: it gives other ids of processes than the server does. */
async function isBehindPooler(client: PostgresListener): Promise<boolean> {
  const { rows } = (await client.query('SELECT pg_backend_pid() AS pid')) as { rows: { pid: number }[] };
  return typeof client.processID === 'number' && client.processID !== rows[0]?.pid;
}
