import { randomUUID } from 'node:crypto';
import type { S3Condition, S3Connection } from './s3-connection.js';
import { S3Failure } from './s3-failure.js';

type ConditionKind = keyof S3Condition;

const EMPTY_BODY = Buffer.alloc(0);
/** An ETag that no object has. */
const NONEXISTENT_ETAG = '"00000000000000000000000000000000"';

/**
 * Detects whether the server supports conditional writes; some accept the conditions and ignore them. Probes before the
 * first write of each kind, with an object beside the state.
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
   * Whether the server supports this kind of condition.
   *
   * @param deadline - on the clock of `performance.now()`
   * @throws {@link S3Failure} if the probe fails; the next call tries again
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

  // Creates no object if the condition is supported, because the ETag never matches.
  async #probeMatch(deadline: number): Promise<boolean> {
    const key = `${this.#key}.probe`;
    const isSupported = await this.#isRefused(key, { ifMatch: NONEXISTENT_ETAG }, deadline);
    if (!isSupported) await this.#connection.remove(key, deadline);
    return isSupported;
  }

  async #probeNoneMatch(deadline: number): Promise<boolean> {
    // A unique name: another process that probes at the same time would remove the object.
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
      // Some servers refuse unknown conditions instead of ignoring them.
      if (status === 501) return false;
      const isMissing = status === 404 && (error as S3Failure).code !== 'NoSuchBucket';
      if (status === 412 || status === 409 || isMissing) return true;
      throw error;
    }
  }
}
