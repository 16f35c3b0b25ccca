import { isDeepStrictEqual } from 'node:util';
import { REPORT_TTL_MS, type InstanceReport } from '../../core/instance-report.js';
import type { MaintenanceState } from '../../core/maintenance-state.js';
import { parseState, serializeState } from '../../core/state-format.js';
import { isStorageError, MaintenanceStorageError } from '../../errors/maintenance-storage.error.js';
import { descendsFrom } from '../descends-from.js';
import { parseStateAtUrl, serializeStoredState } from '../state-codec.js';
import type { StateStorage, VersionedState } from '../state-storage.js';
import { createConflictError, createOversizedContentError, describeConflict } from '../storage-errors.js';
import { S3Conditions } from './s3-conditions.js';
import { S3Connection, type S3Condition, type S3Content } from './s3-connection.js';
import { toS3Error } from './s3-errors.js';
import { S3Failure } from './s3-failure.js';
import { getSiblingLocation, resolveS3Location, type S3Location, type S3StateStorageOptions } from './s3-options.js';
import { S3Reports } from './s3-reports.js';

/** The result of the last read, which counts until the object changes. */
type LastRead = { version: string } & ({ shared: VersionedState; untouched: VersionedState } | { error: Error });

/** A write in progress. */
interface Write {
  next: MaintenanceState;
  text: string;
  bytes: Buffer;
  ifVersion: string | null;
  /** On the clock of `performance.now()`. */
  deadline: number;
}

/**
 * Stores the state in an object of S3 or a compatible server, for any number of machines. Requires the package
 * `@aws-sdk/client-s3`, which is loaded with the first call.
 *
 * S3 does not notify: other instances apply a change with their next read, after `refreshInterval` at the latest. Reads
 * are conditional, and cost neither transfer nor parsing while nothing changes; they then return the same object again,
 * so treat it as read-only. Writes are compare-and-set by ETag. A server that ignores their conditions is detected
 * before the first write, with an object `<key>.probe` beside the state.
 *
 * @example
 * ```ts
 * MaintenanceModule.forRoot({
 *   storage: new S3StateStorage({ bucket: 'shop-state', key: 'maintenance.json', region: 'eu-central-1' }),
 * });
 * ```
 */
export class S3StateStorage implements StateStorage {
  /** Always `'s3'`. */
  readonly kind = 's3';
  /** `s3://bucket/key`, and the endpoint if it is not AWS. */
  readonly location: string;
  readonly #s3Location: S3Location;
  readonly #connection: S3Connection;
  readonly #conditions: S3Conditions;
  readonly #reports: S3Reports;
  readonly #onUnconditionalWrites: 'refuse' | 'warn';
  #hasWarned = false;
  #last: LastRead | undefined;
  // AWS expects an ETag with its quotes. Ceph returns it with quotes, but matches it only without.
  #wantsQuotes = true;

  /**
   * @param options - the object and settings
   * @throws Error that names the invalid option
   */
  constructor(options: S3StateStorageOptions) {
    const s3Location = resolveS3Location(options);
    this.#s3Location = s3Location;
    this.location = s3Location.location;
    this.#connection = new S3Connection(s3Location, options);
    this.#conditions = new S3Conditions(this.#connection, s3Location.key);
    this.#reports = new S3Reports(this.#connection, `${s3Location.key}.instances/`, options.reportTtl ?? REPORT_TTL_MS);
    this.#onUnconditionalWrites = options.onUnconditionalWrites ?? 'refuse';
  }

  /**
   * Reads the state, as JSON or just `1` or `0`. Ends within `timeout`; the first call also loads the SDK.
   *
   * @returns `null` if the object does not exist
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
   * Writes the state if the object still has the version `ifVersion`. Ends within twice `timeout`.
   *
   * If the outcome is uncertain, after a timeout for example, the object is read again to find out.
   *
   * @returns the new version
   * @throws {@link MaintenanceStorageError} `conflict`, `denied` or `unavailable`
   */
  async write(next: MaintenanceState, ifVersion: string | null): Promise<string> {
    const bytes = serializeStoredState(next, this.location);
    const deadline = performance.now() + 2 * this.#connection.timeout;
    const write: Write = { next, text: bytes.toString('utf8'), bytes, ifVersion, deadline };
    for (const condition of await this.#getConditions(write)) {
      const version = await this.#attempt(write, condition);
      if (version === undefined) continue;
      if (condition.ifMatch !== undefined) this.#wantsQuotes = condition.ifMatch.startsWith('"');
      return version;
    }
    const reason = new S3Failure({
      status: 412,
      reason: 'the ETag of the object does not match, with or without quotes',
    });
    throw toS3Error(reason, 'written', this.#s3Location);
  }

  /**
   * Stores the report of an instance as the object `<key>.instances/<id>.json`. Removes expired reports once an hour.
   *
   * @throws {@link MaintenanceStorageError} `denied` or `unavailable`
   */
  async report(report: InstanceReport): Promise<void> {
    await this.#reports.write(report).catch((error: unknown) => {
      throw toS3Error(error, 'written', this.#reportLocation);
    });
  }

  /**
   * Returns the reports that have not expired. Broken ones are ignored. Ends within twice `timeout`.
   *
   * @throws {@link MaintenanceStorageError} `denied` or `unavailable`
   */
  async reports(): Promise<InstanceReport[]> {
    return this.#reports.read(performance.now() + 2 * this.#connection.timeout).catch((error: unknown) => {
      throw toS3Error(error, 'listed', this.#reportLocation);
    });
  }

  /** Aborts running calls, and closes the client unless it was passed as an option. */
  async close(): Promise<void> {
    this.#connection.close();
  }

  /** Returns the conditions to try, one after the other until one matches. */
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
    const areSupported = await this.#conditions.areSupported(kind, deadline).catch((error: unknown) => {
      const note = 'This object tests whether the server supports conditional writes; the state was not written.';
      throw toS3Error(error, 'written', getSiblingLocation(this.#s3Location, '.probe'), note);
    });
    if (areSupported) return true;
    const reason =
      `${this.location}: the server ignores the conditions of writes, so that operators may undo each other's ` +
      'changes.';
    if (this.#onUnconditionalWrites === 'refuse') {
      throw new MaintenanceStorageError(
        'unavailable',
        `${reason} Nothing was written. Use a server that supports If-Match, or Redis; ` +
          `or accept the risk with the option onUnconditionalWrites: 'warn' of S3StateStorage.`,
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

  /** Writes with a condition. Returns `undefined` if the server refuses the condition although it is met. */
  async #attempt(write: Write, condition: S3Condition): Promise<string | undefined> {
    let failure: S3Failure;
    try {
      const version = await this.#connection.put(this.#s3Location.key, write.bytes, condition, write.deadline);
      if (version !== undefined) return version;
      failure = new S3Failure({ status: 200, reason: 'a response without ETag' });
    } catch (error) {
      failure = error as S3Failure;
    }
    if (isDefinitelyNotWritten(failure)) throw toS3Error(failure, 'written', this.#s3Location);
    return this.#resolveFailedWrite(write, failure);
  }

  /**
   * Finds out the outcome of a failed write. The loser of a race gets 412, 409 or 500; and so does the winner if a
   * response was lost and the SDK retried.
   */
  async #resolveFailedWrite(
    { next, text, ifVersion, deadline }: Write,
    failure: S3Failure,
  ): Promise<string | undefined> {
    const found = await this.#connection.get(this.#s3Location.key, undefined, deadline).catch(() => 'unknown' as const);
    if (found === 'unknown' || found === 'unchanged') {
      const note =
        'It may have been written all the same: it could not be read again. Check the status before you try again.';
      throw toS3Error(failure, 'written', this.#s3Location, note);
    }
    if (found?.text === text) return found.version;
    // Written, and replaced by now. The version is unknown, but certainly not the current one.
    if (isDescendant(found?.text, next)) return `${next.lineage}-${next.revision}`;
    if ((found?.version ?? null) !== ifVersion) throw this.#createConflictError(found, failure);
    if (failure.status === 412 && ifVersion !== null) return undefined;
    if (failure.status === 412 || failure.status === 409) throw this.#createConflictError(found, failure);
    throw toS3Error(failure, 'written', this.#s3Location, 'It still contains the previous state.');
  }

  async #get(known?: string, deadline?: number): Promise<S3Content | 'unchanged' | null> {
    return this.#connection.get(this.#s3Location.key, known, deadline).catch((error: unknown) => {
      throw toS3Error(error, 'read', this.#s3Location);
    });
  }

  #parseContent({ version, text }: S3Content): LastRead {
    if (text === undefined) return { version, error: createOversizedContentError(version, this.location) };
    try {
      const [shared, untouched] = [text, text].map((same) => parseStateAtUrl(same, version, this.location));
      return { version, shared: shared!, untouched: untouched! };
    } catch (error) {
      if (isStorageError(error)) return { version, error };
      throw error;
    }
  }

  get #reportLocation(): S3Location {
    return getSiblingLocation(this.#s3Location, '.instances/');
  }

  #createConflictError(found: S3Content | null, cause?: unknown): MaintenanceStorageError {
    return createConflictError(this.location, describeConflict(found === null), cause);
  }
}

/** Returns the state of the last read, or a new copy if the caller has modified it: other storages return copies. */
function getLastResult(last: LastRead): VersionedState {
  if ('error' in last) throw last.error;
  const { state, version } = last.untouched;
  if (!isDeepStrictEqual(last.shared, last.untouched)) {
    last.shared = { state: parseState(serializeState(state)), version };
  }
  return last.shared;
}

/** Whether the server has certainly not written the object. */
function isDefinitelyNotWritten({ status = 0, code }: S3Failure): boolean {
  return (status >= 300 && status <= 403) || code === 'NoSuchBucket';
}

/** Whether `text` is a state that was made from `next`. */
function isDescendant(text: string | undefined, next: MaintenanceState): boolean {
  try {
    return text !== undefined && descendsFrom(parseState(text), next);
  } catch {
    return false; // not a state
  }
}
