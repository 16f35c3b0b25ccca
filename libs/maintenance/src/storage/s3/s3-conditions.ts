import { randomUUID } from 'node:crypto';
import type { S3Condition, S3Connection } from './s3-connection.js';
import { S3Failure } from './s3-failure.js';

type ConditionKind = keyof S3Condition;

const EMPTY_BODY = Buffer.alloc(0);
/** The ETag of no object. */
const NONEXISTENT_ETAG = '"00000000000000000000000000000000"';

/**
 * Knows whether the server heeds the conditions of a write, which some take and ignore. It finds out before the first
 * write of each kind, beside the state's object, which it does not touch.
 */
export class S3Conditions {
  readonly #connection: S3Connection;
  readonly #key: string;
  readonly #supported: Partial<Record<ConditionKind, Promise<boolean>>> = {};

  constructor(connection: S3Connection, key: string) {
    this.#connection = connection;
    this.#key = key;
  }

  /**
   * Whether the server heeds this kind of condition.
   *
   * @throws {@link S3Failure} if it can't be found out; the next call tries again
   */
  async areSupported(kind: ConditionKind, deadline: number): Promise<boolean> {
    const probe = (this.#supported[kind] ??=
      kind === 'ifMatch' ? this.#probeMatch(deadline) : this.#probeNoneMatch(deadline));
    try {
      return await probe;
    } catch (error) {
      this.#supported[kind] = undefined;
      throw error;
    }
  }

  // Leaves nothing behind where it is heeded, as nothing matches.
  async #probeMatch(deadline: number): Promise<boolean> {
    const key = `${this.#key}.probe`;
    const isHeeded = await this.#isRefused(key, { ifMatch: NONEXISTENT_ETAG }, deadline);
    if (!isHeeded) await this.#connection.remove(key, deadline);
    return isHeeded;
  }

  async #probeNoneMatch(deadline: number): Promise<boolean> {
    // A name of its own: another process that probes at the same time would take the object away in between.
    const key = `${this.#key}.probe-${randomUUID()}`;
    try {
      await this.#connection.put(key, EMPTY_BODY, {}, deadline);
      return await this.#isRefused(key, { ifNoneMatch: '*' }, deadline);
    } finally {
      await this.#connection.remove(key, deadline).catch(() => undefined);
    }
  }

  async #isRefused(key: string, condition: S3Condition, deadline: number): Promise<boolean> {
    try {
      await this.#connection.put(key, EMPTY_BODY, condition, deadline);
      return false;
    } catch (error) {
      const status = error instanceof S3Failure ? error.status : undefined;
      // Some servers do not ignore a condition that they do not know, but say so.
      if (status === 501) return false;
      const isMissing = status === 404 && (error as S3Failure).code !== 'NoSuchBucket';
      if (status === 412 || status === 409 || isMissing) return true;
      throw error;
    }
  }
}
