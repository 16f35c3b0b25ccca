import type { PostgresPoolClientLike, PostgresPoolLike } from './postgres-client.js';
import { ClosedError, isAnswer, NoAnswerError, PostgresFailure } from './postgres-errors.js';

/** A pool that runs the statements, and the function that closes it if it is the storage's own. */
export interface PostgresPoolHandle {
  pool: PostgresPoolLike;
  end?: () => Promise<void>;
}

/** The pool may take so many milliseconds to close: a server that is frozen does not confirm. */
const CLOSE_TIMEOUT_MS = 1_000;

/** Runs statements on a pool, each within the timeout, whatever the server does. */
export class PostgresConnection {
  #opening: Promise<PostgresPoolHandle> | undefined;
  #isClosed = false;
  readonly #ignore = (): void => undefined;

  /** @param open - opens the pool, with the first statement */
  constructor(
    private readonly open: () => Promise<PostgresPoolHandle>,
    private readonly timeoutMs: number,
  ) {}

  /**
   * Runs statements as one transaction.
   *
   * @returns the rows of the last one
   * @throws {@link PostgresFailure} if they fail or get no answer in time
   */
  async run<Row>(sql: string): Promise<Row[]> {
    const call = { wasSent: false, isOver: false };
    let client: PostgresPoolClientLike | undefined;
    try {
      const result = await this.#withTimeout(async () => {
        const connected = await (await this.#getPool()).connect();
        if (call.isOver) return connected.release();
        client = connected;
        // An `error` event without a listener would end the process; the query reports the error.
        client.on('error', this.#ignore);
        call.wasSent = true;
        return client.query(sql);
      });
      this.#release(client);
      return getLastRows(result) as Row[];
    } catch (error) {
      call.isOver = true;
      this.#release(client, !isAnswer(error) || isServerChange(error));
      throw new PostgresFailure(error, call.wasSent);
    }
  }

  /** Makes all further statements fail, and closes the pool unless it belongs to the application. */
  async close(): Promise<void> {
    if (this.#isClosed) return;
    this.#isClosed = true;
    const handle = await this.#opening?.catch(() => undefined);
    handle?.pool.off('error', this.#ignore);
    const ended = handle?.end?.().catch(() => undefined);
    await Promise.race([ended, new Promise((resolve) => setTimeout(resolve, CLOSE_TIMEOUT_MS).unref())]);
  }

  async #getPool(): Promise<PostgresPoolLike> {
    if (this.#isClosed) throw new ClosedError();
    this.#opening ??= this.#open();
    return (await this.#opening).pool;
  }

  async #open(): Promise<PostgresPoolHandle> {
    try {
      const handle = await this.open();
      // The pool reports a connection that breaks while it is idle, which is of no consequence.
      if (handle.end === undefined) handle.pool.on('error', this.#ignore);
      return handle;
    } catch (error) {
      this.#opening = undefined;
      throw error;
    }
  }

  #release(client: PostgresPoolClientLike | undefined, isBroken = false): void {
    client?.release(isBroken);
    if (!isBroken) client?.off('error', this.#ignore);
  }

  async #withTimeout<T>(work: () => Promise<T>): Promise<T> {
    let timer: NodeJS.Timeout | undefined;
    const timeout = new Promise<never>((_resolve, reject) => {
      timer = setTimeout(() => reject(new NoAnswerError(this.timeoutMs)), this.timeoutMs);
    });
    try {
      return await Promise.race([work(), timeout]);
    } finally {
      clearTimeout(timer);
    }
  }
}

function getLastRows(result: unknown): unknown[] {
  const last = (Array.isArray(result) ? result.at(-1) : result) as { rows?: unknown[] } | undefined;
  return last?.rows ?? [];
}

/** Whether the server is going away or became a replica: the address may lead to another server by now. */
function isServerChange(error: unknown): boolean {
  return /^(?:25006|57P|08)/.test((error as { code: string }).code);
}
