import { createHash } from 'node:crypto';
import { isCurrent, REPORT_TTL_MS, type InstanceReport } from '../core/instance-report.js';
import type { MaintenanceState } from '../core/maintenance-state.js';
import { serializeState } from '../core/state-format.js';
import { MaintenanceStorageError } from '../errors/maintenance-storage.error.js';
import { parseReport } from '../storage/parse-report.js';
import type { StateStorage, VersionedState } from '../storage/state-storage.js';
import { parseStoredState } from '../storage/parse-stored-state.js';

/** Settings of a {@link MemoryStateStorage}. */
export interface MemoryStateStorageOptions {
  /** Milliseconds after which the report of an instance that wrote no other is forgotten. Default: 100000. */
  reportTtl?: number;
  /** Milliseconds since the epoch. Default: the system's clock. */
  now?: () => number;
}

/**
 * Keeps the state in memory, for tests: it behaves as the other storages do, and can be made to fail.
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
  readonly kind = 'memory';
  readonly location = 'this process';
  private readonly reportTtl: number;
  private readonly now: () => number;
  private text: string | null = null;
  private failure: Error | null = null;
  private readonly watchers = new Set<() => void>();
  private readonly records = new Map<string, { text: string; writtenAt: number }>();

  constructor(options: MemoryStateStorageOptions = {}) {
    this.reportTtl = options.reportTtl ?? REPORT_TTL_MS;
    this.now = options.now ?? Date.now;
  }

  /** Makes every following read, write and report fail with `error`, until `fail(null)`. */
  fail(error: Error | null): void {
    this.failure = error;
  }

  /** Puts `text` there as if somebody had written it by hand: a state as JSON, `1`, `0`, or anything that is none. */
  put(text: string): void {
    this.replace(text);
  }

  /** Removes the state as if somebody had deleted it. Reports stay. */
  clear(): void {
    this.replace(null);
  }

  /** @throws {@link MaintenanceStorageError} `corrupt`, or what {@link fail} was given */
  async read(): Promise<VersionedState | null> {
    this.assertNotFailing();
    if (this.text === null) return null;
    return parseStoredState(this.text, hashContent(this.text), this.location);
  }

  /** @throws {@link MaintenanceStorageError} `conflict`, or what {@link fail} was given */
  async write(next: MaintenanceState, ifVersion: string | null): Promise<string> {
    this.assertNotFailing();
    const found = this.text === null ? null : hashContent(this.text);
    if (found !== ifVersion) {
      throw new MaintenanceStorageError('conflict', 'Somebody else has written the state meanwhile: read it again.');
    }
    const text = serializeState(next);
    this.replace(text);
    return hashContent(text);
  }

  /** Calls back soon after each change. */
  async watch(changed: () => void): Promise<() => Promise<void>> {
    // A function of its own for each watch: the same callback may watch twice.
    const watcher = (): void => changed();
    this.watchers.add(watcher);
    return async () => void this.watchers.delete(watcher);
  }

  /** @throws what {@link fail} was given */
  async report(report: InstanceReport): Promise<void> {
    this.assertNotFailing();
    this.records.set(report.id, { text: JSON.stringify(report), writtenAt: this.now() });
  }

  /** @throws what {@link fail} was given */
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
    // As with a real storage, a watcher hears of a change some time after it.
    queueMicrotask(() => [...this.watchers].forEach((watcher) => this.watchers.has(watcher) && watcher()));
  }
}

function hashContent(text: string): string {
  return createHash('sha256').update(text).digest('hex').slice(0, 32);
}
