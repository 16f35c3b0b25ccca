import { createHash } from 'node:crypto';
import { isCurrent, REPORT_TTL_MS, type InstanceReport } from '../core/instance-report.js';
import type { MaintenanceState } from '../core/maintenance-state.js';
import { serializeState } from '../core/state-format.js';
import { formatReport, parseReport } from '../storage/report-codec.js';
import { parseStoredState } from '../storage/state-codec.js';
import type { StateStorage, VersionedState } from '../storage/state-storage.js';
import { createConflictError, describeConflict } from '../storage/storage-errors.js';

/** Settings of a {@link MemoryStateStorage}. */
export interface MemoryStateStorageOptions {
  /**
   * How long the report of an instance counts, in milliseconds.
   *
   * @defaultValue 100000
   */
  reportTtl?: number;
  /**
   * Returns the current time in milliseconds since the epoch.
   *
   * @defaultValue `Date.now`
   */
  now?: () => number;
}

/**
 * Stores the state in memory, for tests. Behaves as the other storages do, and can be made to fail.
 *
 * @example
 * ```ts
 * const storage = new MemoryStateStorage();
 * const moduleRef = await Test.createTestingModule({
 *   imports: [AppModule, MaintenanceModule.forRoot({ storage })],
 * }).compile();
 * storage.fail(new MaintenanceStorageError('unavailable', 'the network is down'));
 * ```
 */
export class MemoryStateStorage implements StateStorage {
  /** Always `'memory'`. */
  readonly kind = 'memory';
  /** Always `'this process'`. */
  readonly location = 'this process';
  private readonly reportTtl: number;
  private readonly now: () => number;
  private text: string | null = null;
  private failure: Error | null = null;
  private readonly watchers = new Set<() => void>();
  private readonly records = new Map<string, { text: string; writtenAt: number }>();

  /** @param options - settings */
  constructor(options: MemoryStateStorageOptions = {}) {
    this.reportTtl = options.reportTtl ?? REPORT_TTL_MS;
    this.now = options.now ?? Date.now;
  }

  /**
   * Makes all further reads, writes and reports fail.
   *
   * @param error - the error that they throw; `null` makes them work again
   */
  fail(error: Error | null): void {
    this.failure = error;
  }

  /**
   * Replaces the content, as an operator who edits the file does.
   *
   * @param text - a state as JSON, `1`, `0`, or corrupt content
   */
  put(text: string): void {
    this.replace(text);
  }

  /** Deletes the state, as an operator who deletes the file does. Reports stay. */
  clear(): void {
    this.replace(null);
  }

  /**
   * Reads the state.
   *
   * @returns `null` if nothing is stored
   * @throws {@link MaintenanceStorageError} `corrupt`, or the error passed to {@link MemoryStateStorage.fail}
   */
  async read(): Promise<VersionedState | null> {
    this.assertNotFailing();
    if (this.text === null) return null;
    return parseStoredState(this.text, hashContent(this.text), this.location);
  }

  /**
   * Writes the state if the storage still has the version `ifVersion`.
   *
   * @returns the new version
   * @throws {@link MaintenanceStorageError} `conflict`, or the error passed to {@link MemoryStateStorage.fail}
   */
  async write(next: MaintenanceState, ifVersion: string | null): Promise<string> {
    this.assertNotFailing();
    const found = this.text === null ? null : hashContent(this.text);
    if (found !== ifVersion) throw createConflictError(this.location, describeConflict(found === null));
    const text = serializeState(next);
    this.replace(text);
    return hashContent(text);
  }

  /**
   * Calls back shortly after each change.
   *
   * @returns a function that ends the watch
   */
  async watch(changed: () => void): Promise<() => Promise<void>> {
    // One function for each watch: the same callback may be passed twice.
    const watcher = (): void => changed();
    this.watchers.add(watcher);
    return async () => void this.watchers.delete(watcher);
  }

  /**
   * Stores the report of an instance.
   *
   * @throws the error passed to {@link MemoryStateStorage.fail}
   */
  async report(report: InstanceReport): Promise<void> {
    this.assertNotFailing();
    this.records.set(report.id, { text: formatReport(report), writtenAt: this.now() });
  }

  /**
   * Returns the reports that have not expired.
   *
   * @throws the error passed to {@link MemoryStateStorage.fail}
   */
  async reports(): Promise<InstanceReport[]> {
    this.assertNotFailing();
    return [...this.records.values()].flatMap(({ text, writtenAt }) => {
      const report = parseReport(text);
      return report && isCurrent(report, this.now(), this.reportTtl, writtenAt) ? [report] : [];
    });
  }

  private assertNotFailing(): void {
    if (this.failure) throw this.failure;
  }

  private replace(text: string | null): void {
    this.text = text;
    // Deferred: a real storage notifies some time after the change.
    queueMicrotask(() => [...this.watchers].forEach((watcher) => this.watchers.has(watcher) && watcher()));
  }
}

function hashContent(text: string): string {
  return createHash('sha256').update(text).digest('hex').slice(0, 32);
}
