import { isDeepStrictEqual } from 'node:util';
import { REPORT_TTL_MS, type InstanceReport } from '../../core/instance-report.js';
import type { MaintenanceState } from '../../core/maintenance-state.js';
import { parseState, serializeState } from '../../core/state-format.js';
import { MAX_STATE_BYTES } from '../file/file-content.js';
import { isStorageError, MaintenanceStorageError } from '../../errors/maintenance-storage.error.js';
import { S3Conditions } from './s3-conditions.js';
import { S3Connection, type S3Condition, type S3Content } from './s3-connection.js';
import { toS3Error } from './s3-errors.js';
import { S3Failure } from './s3-failure.js';
import { getSiblingLocation, resolveS3Location, type S3Location, type S3StateStorageOptions } from './s3-options.js';
import { S3Reports } from './s3-reports.js';
import type { StateStorage, VersionedState } from '../state-storage.js';
import { parseStateAtUrl, createTooLargeError } from '../parse-stored-state.js';

/** What was read last, and stands as long as the server says that nothing has changed. */
type LastRead = { version: string } & ({ shared: VersionedState; untouched: VersionedState } | { error: Error });

interface Write {
  next: MaintenanceState;
  text: string;
  bytes: Buffer;
  ifVersion: string | null;
  /** On the clock of `performance.now()`. */
  deadline: number;
}

/**
 * Keeps the state in an object of S3, or of a server that is compatible with it: for any number of machines. Needs the
 * package `@aws-sdk/client-s3`, which is loaded with the first call.
 *
 * S3 does not notify: other instances see a change when they read next, after `refreshInterval` at the latest. Reads
 * are conditional, and cost neither transfer nor parsing while nothing changes; what is read is then the same object
 * again, so treat it as read-only. Writes are compare-and-set by ETag. A server that ignores their conditions is
 * recognised before the first write, with an object `<key>.probe` beside the state.
 *
 * @example
 * ```ts
 * MaintenanceModule.forRoot({
 *   storage: new S3StateStorage({ bucket: 'shop-state', key: 'maintenance.json', region: 'eu-central-1' }),
 * });
 * ```
 */
export class S3StateStorage implements StateStorage {
  readonly kind = 's3';
  /** `s3://bucket/key`, and the endpoint if one is given. */
  readonly location: string;
  readonly #s3Location: S3Location;
  readonly #connection: S3Connection;
  readonly #conditions: S3Conditions;
  readonly #reports: S3Reports;
  readonly #onUnconditionalWrites: 'refuse' | 'warn';
  #hasWarned = false;
  #last: LastRead | undefined;
  // AWS takes an ETag with its quotes; Ceph returns it with them, and matches it only without.
  #wantsQuotes = true;

  /** @throws Error with a sentence that names the option, if one can't be used */
  constructor(options: S3StateStorageOptions) {
    const place = resolveS3Location(options);
    this.#s3Location = place;
    this.location = place.location;
    this.#connection = new S3Connection(place, options);
    this.#conditions = new S3Conditions(this.#connection, place.key);
    this.#reports = new S3Reports(this.#connection, `${place.key}.instances/`, options.reportTtl ?? REPORT_TTL_MS);
    this.#onUnconditionalWrites = options.onUnconditionalWrites ?? 'refuse';
  }

  /**
   * Reads the state, as JSON or just `1` or `0`. Ends within `timeout`; the first call also loads the SDK.
   *
   * @throws {@link MaintenanceStorageError} `corrupt`, `denied` or `unavailable`
   */
  async read(): Promise<VersionedState | null> {
    const last = this.#last;
    const content = await this.#get(last?.version);
    if (content === 'unchanged') return getLastResult(last!);
    this.#last = content === null ? undefined : this.#parseContent(content);
    return this.#last === undefined ? null : getLastResult(this.#last);
  }

  /**
   * Writes the state if the object still has `ifVersion`. Ends within twice `timeout`.
   *
   * If it is not certain whether the write took place, after a time-out for example, the object is read again: what it
   * holds decides.
   *
   * @throws {@link MaintenanceStorageError} `conflict`, `denied` or `unavailable`
   */
  async write(next: MaintenanceState, ifVersion: string | null): Promise<string> {
    const text = serializeState(next);
    const bytes = Buffer.from(text);
    if (bytes.length > MAX_STATE_BYTES) throw this.#createTooLargeError(bytes.length);
    const deadline = performance.now() + 2 * this.#connection.timeout;
    const write: Write = { next, text, bytes, ifVersion, deadline };
    for (const condition of await this.#getConditions(write)) {
      const version = await this.#attempt(write, condition);
      if (version === undefined) continue;
      if (condition.ifMatch !== undefined) this.#wantsQuotes = condition.ifMatch.startsWith('"');
      return version;
    }
    const reason = new S3Failure({ status: 412, reason: 'its own ETag does not match, with quotes or without' });
    throw toS3Error(reason, 'written', this.#s3Location);
  }

  /**
   * Keeps the record of an instance as the object `<key>.instances/<id>.json`, and removes records that are over now
   * and then.
   *
   * @throws {@link MaintenanceStorageError} `denied` or `unavailable`
   */
  async report(report: InstanceReport): Promise<void> {
    await this.#reports.write(report).catch((error: unknown) => {
      throw toS3Error(error, 'written', this.#reportPlace);
    });
  }

  /**
   * The records of the instances that reported within the time to live. Broken ones are left out. Ends within twice
   * `timeout`.
   *
   * @throws {@link MaintenanceStorageError} `denied` or `unavailable`
   */
  async reports(): Promise<InstanceReport[]> {
    return this.#reports.read(performance.now() + 2 * this.#connection.timeout).catch((error: unknown) => {
      throw toS3Error(error, 'listed', this.#reportPlace);
    });
  }

  /** Ends what is under way, and closes the client unless it was given. */
  async close(): Promise<void> {
    this.#connection.close();
  }

  /** The conditions to try, one after the other as long as the server does not see that they hold. */
  async #getConditions(write: Write): Promise<S3Condition[]> {
    const { ifVersion } = write;
    if (!(await this.#areConditionsSupported(ifVersion === null ? 'ifNoneMatch' : 'ifMatch', write.deadline))) {
      await this.#expectVersion(write);
      return [{}];
    }
    if (ifVersion === null) return [{ ifNoneMatch: '*' }];
    const forms = [{ ifMatch: `"${ifVersion}"` }, { ifMatch: ifVersion }];
    return this.#wantsQuotes ? forms : forms.reverse();
  }

  async #areConditionsSupported(kind: keyof S3Condition, deadline: number): Promise<boolean> {
    const areHeeded = await this.#conditions.areSupported(kind, deadline).catch((error: unknown) => {
      const note = 'It is written to see whether the server heeds conditions; the state was not written.';
      throw toS3Error(error, 'written', getSiblingLocation(this.#s3Location, '.probe'), note);
    });
    if (areHeeded) return true;
    const danger = 'so that of two operators one may undo what the other does';
    const reason = `${this.location}: the server ignores the conditions of writes, ${danger}.`;
    if (this.#onUnconditionalWrites === 'refuse') {
      throw new MaintenanceStorageError(
        'unavailable',
        `${reason} Nothing was written. Use a server that heeds If-Match, or Redis; ` +
          `or accept it with the option onUnconditionalWrites: 'warn' of S3StateStorage.`,
      );
    }
    if (!this.#hasWarned) process.emitWarning(reason, 'MaintenanceStorageWarning');
    this.#hasWarned = true;
    return false;
  }

  async #expectVersion({ ifVersion, deadline }: Write): Promise<void> {
    const found = await this.#get(ifVersion ?? undefined, deadline);
    if (found !== 'unchanged' && (found?.version ?? null) !== ifVersion) throw this.#createConflictError(found);
  }

  /** Writes under this condition; `undefined`: the server says that it does not hold, although it does. */
  async #attempt(write: Write, condition: S3Condition): Promise<string | undefined> {
    let failure: S3Failure;
    try {
      const version = await this.#connection.put(this.#s3Location.key, write.bytes, condition, write.deadline);
      if (version !== undefined) return version;
      failure = new S3Failure({ status: 200, reason: 'an answer without ETag' });
    } catch (error) {
      failure = error as S3Failure;
    }
    if (isDefinitelyNotWritten(failure)) throw toS3Error(failure, 'written', this.#s3Location);
    return this.#resolveFailedWrite(write, failure);
  }

  /**
   * Finds out what came of a write that failed: whoever loses a race is answered with 412, 409 or 500, and so is
   * whoever won it if an answer was lost and the SDK tried again.
   */
  async #resolveFailedWrite(
    { next, text, ifVersion, deadline }: Write,
    failure: S3Failure,
  ): Promise<string | undefined> {
    const found = await this.#connection.get(this.#s3Location.key, undefined, deadline).catch(() => 'unknown' as const);
    if (found === 'unknown' || found === 'unchanged') {
      const note = 'Whether it was written all the same is not known, as it could not be read again.';
      throw toS3Error(failure, 'written', this.#s3Location, note);
    }
    if (found?.text === text) return found.version;
    // Written, and written over by now. Its version is not known, but certainly not the one that is there.
    if (descendsFrom(next, found?.text)) return `${next.lineage}-${next.revision}`;
    if ((found?.version ?? null) !== ifVersion) throw this.#createConflictError(found, failure);
    if (failure.status === 412 && ifVersion !== null) return undefined;
    if (failure.status === 412 || failure.status === 409) throw this.#createConflictError(found, failure);
    throw toS3Error(failure, 'written', this.#s3Location, 'When it was read again, it still held the old state.');
  }

  async #get(known?: string, deadline?: number): Promise<S3Content | 'unchanged' | null> {
    return this.#connection.get(this.#s3Location.key, known, deadline).catch((error: unknown) => {
      throw toS3Error(error, 'read', this.#s3Location);
    });
  }

  #parseContent({ version, text }: S3Content): LastRead {
    if (text === undefined) return { version, error: createTooLargeError(MAX_STATE_BYTES, version, this.location) };
    try {
      const [shared, untouched] = [text, text].map((same) => parseStateAtUrl(same, version, this.location));
      return { version, shared: shared!, untouched: untouched! };
    } catch (error) {
      if (isStorageError(error)) return { version, error };
      throw error;
    }
  }

  get #reportPlace(): S3Location {
    return getSiblingLocation(this.#s3Location, '.instances/');
  }

  #createConflictError(found: S3Content | null, cause?: unknown): MaintenanceStorageError {
    const reason = found === null ? 'it is gone' : 'somebody else has written it meanwhile';
    const message = `${this.location} was not written: ${reason}. Read it again and decide anew.`;
    return new MaintenanceStorageError('conflict', message, { cause });
  }

  #createTooLargeError(size: number): MaintenanceStorageError {
    const message =
      `${this.location} was not written: the state has ${size} bytes, and ${MAX_STATE_BYTES} are the most. ` +
      'End windows that are no longer needed.';
    return new MaintenanceStorageError('unavailable', message);
  }
}

/** What the last read gave. Whoever changed it changed a copy of his own, as with other storages. */
function getLastResult(last: LastRead): VersionedState {
  if ('error' in last) throw last.error;
  const { state, version } = last.untouched;
  if (!isDeepStrictEqual(last.shared, last.untouched))
    last.shared = { state: parseState(serializeState(state)), version };
  return last.shared;
}

/** Whether the server certainly wrote nothing. */
function isDefinitelyNotWritten({ status = 0, code }: S3Failure): boolean {
  return (status >= 300 && status <= 403) || code === 'NoSuchBucket';
}

/** Whether the state in `text` was made from `next`: its history holds the entry that `next` added. */
function descendsFrom(next: MaintenanceState, text: string | undefined): boolean {
  const [entry] = next.history;
  if (text === undefined || entry?.revision !== next.revision) return false;
  try {
    const { lineage, revision, history } = parseState(text);
    const isFollowing = lineage === next.lineage && revision > next.revision;
    return isFollowing && history.some((other) => JSON.stringify(other) === JSON.stringify(entry));
  } catch {
    return false; // it holds no state
  }
}
