import { getErrorCode } from '../error-code.js';
import type { MysqlConnectionLike, MysqlPoolLike, MysqlPromisePoolLike, OwnConnection } from './mysql-client.js';
import { ClosedError, MysqlFailure, NoAnswerError, READ_ONLY_CODES } from './mysql-errors.js';

/** Runs statements, each within the timeout, whatever the server does. */
export interface MysqlConnection {
  /**
   * Runs a statement and returns its rows, or its result.
   *
   * @throws {@link MysqlFailure} if it fails or gets no answer in time
   */
  run(sql: string): Promise<unknown>;
  /** Makes all further statements fail, and closes the connection unless it belongs to the application. */
  close(): void;
}

/**
 * Opens one connection of our own with the first statement, and again with the next statement after it broke. A
 * connection that does not answer in time is dropped: its statement may still be running.
 */
export class ManagedConnection implements MysqlConnection {
  #current: Promise<OwnConnection> | undefined;
  #isClosed = false;

  constructor(
    private readonly open: () => Promise<OwnConnection>,
    private readonly timeoutMs: number,
  ) {}

  async run(sql: string): Promise<unknown> {
    let used: Promise<OwnConnection> | undefined;
    let wasSent = false;
    try {
      return await withMysqlTimeout(this.timeoutMs, 'statement', async () => {
        if (this.#isClosed) throw new ClosedError();
        used = this.#current ??= this.#connect();
        const connection = await used;
        wasSent = true;
        return await query(connection, sql);
      });
    } catch (error) {
      if (used && !isUsableAfter(error)) this.#drop(used);
      throw new MysqlFailure(error, wasSent);
    }
  }

  close(): void {
    this.#isClosed = true;
    if (this.#current) this.#drop(this.#current);
  }

  #connect(): Promise<OwnConnection> {
    const opened = this.open().then((connection) => {
      const forget = (): void => {
        if (this.#current === opened) this.#current = undefined;
      };
      for (const event of ['error', 'end'] as const) connection.on(event, forget);
      return connection;
    });
    // A failed attempt is not kept.
    opened.catch(() => this.#drop(opened));
    return opened;
  }

  #drop(opened: Promise<OwnConnection>): void {
    if (this.#current === opened) this.#current = undefined;
    void opened.then(
      (connection) => connection.destroy(),
      () => undefined,
    );
  }
}

/** Runs statements on connections of a pool that the application owns. */
export class PoolConnection implements MysqlConnection {
  readonly #pool: MysqlPromisePoolLike;
  #isClosed = false;

  constructor(
    pool: MysqlPoolLike,
    private readonly timeoutMs: number,
  ) {
    this.#pool = 'promise' in pool ? pool.promise() : pool;
  }

  async run(sql: string): Promise<unknown> {
    let connection: MysqlConnectionLike | undefined;
    let isOver = false;
    try {
      if (this.#isClosed) throw new ClosedError();
      const taken = this.#pool.getConnection();
      // A connection that comes too late goes back.
      taken.then(
        (late) => isOver && !connection && late.release(),
        () => undefined,
      );
      connection = await withMysqlTimeout(this.timeoutMs, 'connection', () => taken);
      const used = connection;
      const rows = await withMysqlTimeout(this.timeoutMs, 'statement', () => query(used, sql));
      connection.release();
      return rows;
    } catch (error) {
      isOver = true;
      if (connection && isUsableAfter(error)) connection.release();
      else connection?.destroy();
      throw new MysqlFailure(error, connection !== undefined);
    }
  }

  close(): void {
    this.#isClosed = true;
  }
}

async function query(connection: Pick<MysqlConnectionLike, 'query'>, sql: string): Promise<unknown> {
  // The settings of an application's pool must not change the rows.
  const options = { sql, typeCast: true, rowsAsArray: false, nestTables: false };
  const [rows] = await connection.query(options);
  return rows;
}

/**
 * Whether a connection can be used after an error. It can't without an answer, since its statement may still be
 * running; if its database was dropped; and on a server that became read-only: the address may lead to another by now.
 */
function isUsableAfter(error: unknown): boolean {
  const { errno, fatal } = (error ?? {}) as { errno?: unknown; fatal?: unknown };
  const code = getErrorCode(error) ?? '';
  const isAnswer = typeof errno === 'number' && errno > 0 && fatal !== true;
  return isAnswer && code !== 'ER_NO_DB_ERROR' && !READ_ONLY_CODES.has(code);
}

async function withMysqlTimeout<T>(
  timeoutMs: number,
  waitsFor: NoAnswerError['waitsFor'],
  work: () => Promise<T>,
): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const timeout = new Promise<never>((_resolve, reject) => {
    timer = setTimeout(() => reject(new NoAnswerError(timeoutMs, waitsFor)), timeoutMs);
  });
  try {
    return await Promise.race([work(), timeout]);
  } finally {
    clearTimeout(timer);
  }
}
