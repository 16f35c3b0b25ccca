import { Inject, Injectable } from '@nestjs/common';
import type { Observable, Subject } from 'rxjs';
import { waitForDrain } from './drain/wait-for-drain.js';
import type { DrainReport } from './drain/drain-report.js';
import { readLiveInstances } from './drain/instance-reports.js';
import { TemporaryWindows } from './leases/temporary-windows.js';
import type { ResolvedOptions } from './options/resolved-options.js';
import type { ChangeOrigin } from './core/window-changes.js';
import { Clock } from './utils/clock.js';
import { MaintenanceForcedError } from './errors/maintenance-forced.error.js';
import type { InstanceReport } from './core/instance-report.js';
import type { MaintenanceStatus } from './core/maintenance-status.js';
import { ALL_SCOPES } from './core/maintenance-window.js';
import { StateMonitor } from './core/state-monitor.js';
import { createStatus } from './core/create-status.js';
import { waitUntilInactive } from './core/wait-until-inactive.js';
import {
  parseDisableOptions,
  parseEnableOptions,
  type DisableOptions,
  type EnableOptions,
} from './core/window-options.js';
import { unwrapCache } from './storage/cache/cached-state-storage.js';
import { StateStorage } from './storage/state-storage.js';
import type { WriteResult } from './storage/state-writer.js';
import { WindowWriter } from './storage/window-writer.js';
import { STATUS_CHANGES, RESOLVED_OPTIONS, SHUTDOWN_CONTROLLER } from './maintenance.constants.js';

/** Milliseconds. */
const DEFAULT_DRAIN_TIMEOUT_MS = 60_000;

/**
 * Turns maintenance on and off, and tells whether it is on.
 *
 * @example
 * ```ts
 * constructor(private readonly maintenance: MaintenanceService) {}
 *
 * await this.maintenance.enable({ message: 'Back at four', endsAt: '2030-12-01T04:00Z' });
 * ```
 */
@Injectable()
export class MaintenanceService {
  /** The status whenever it changes, also at the moment a planned window starts or ends. */
  readonly changes: Observable<MaintenanceStatus>;
  readonly #writer: WindowWriter;

  constructor(
    @Inject(RESOLVED_OPTIONS) private readonly options: ResolvedOptions,
    @Inject(StateStorage) private readonly storage: StateStorage,
    @Inject(StateMonitor) private readonly monitor: StateMonitor,
    @Inject(Clock) private readonly clock: Clock,
    @Inject(STATUS_CHANGES) changes: Subject<MaintenanceStatus>,
    @Inject(TemporaryWindows) private readonly temporaryWindows: TemporaryWindows,
    @Inject(SHUTDOWN_CONTROLLER) private readonly shutdownController: AbortController,
  ) {
    this.changes = changes.asObservable();
    this.#writer = new WindowWriter(storage, clock);
  }

  /** The status, from memory: this never waits for the storage. */
  status(): MaintenanceStatus {
    return createStatus(this.monitor, this.storage);
  }

  /**
   * Whether maintenance is on, from memory.
   *
   * @param scope - asks for one part of the application; a window on `'*'` counts for every scope. Default: any window at all
   */
  isActive(scope?: string): boolean {
    const { forced, active } = this.monitor.getSnapshot();
    if (forced !== null) return forced;
    if (scope === undefined) return active.length > 0;
    return active.some((window) => window.scope === scope || window.scope === ALL_SCOPES);
  }

  /**
   * Opens a window. On an active window of the same scope and mode it changes the fields given and keeps the others; a start in
   * the future always makes a new window. What changes nothing writes nothing.
   *
   * @returns the status that the storage gave back after the write
   * @throws {@link InvalidWindowError} for a window that makes no sense
   * @throws {@link MaintenanceForcedError} while the option `enabled` gives the answer
   * @throws {@link MaintenanceStorageError} if the storage does not take it
   *
   * @example
   * ```ts
   * await maintenance.enable({ scope: 'payments', endsAt: new Date(Date.now() + 600_000) });
   * ```
   */
  async enable(window: EnableOptions = {}): Promise<MaintenanceStatus> {
    await this.startWindow(window, { via: 'code', by: window?.createdBy });
    return this.status();
  }

  /**
   * Ends windows: by default every active one.
   *
   * @param which - `scope`: those of one scope; `id`: one window, be it active or planned; `all`: planned ones too
   * @returns the status that the storage gave back after the write
   * @throws {@link MaintenanceForcedError} while the option `enabled` gives the answer
   * @throws {@link MaintenanceStorageError} if the storage does not take it
   */
  async disable(which: DisableOptions = {}): Promise<MaintenanceStatus> {
    await this.endWindows(which, { via: 'code' });
    return this.status();
  }

  /**
   * Does work in a window of its own, which is closed when the work is done, whether it succeeded or failed. Windows of operators and
   * of other work stay as they are.
   *
   * The window is held under a lease of 60 s, which is renewed while the work goes on: if the process dies, the window is over after
   * that. A window that somebody has ended is not opened again.
   *
   * @param work - its `signal` aborts with a {@link MaintenanceAbortedError} when the window is over or about to be: somebody turned it
   *   off, its `endsAt` has come, the application shuts down, or the lease could not be renewed, 15 s before it runs out
   * @param window - as for {@link enable}, without `startsAt` and `recurrence`
   * @returns what the work returns
   * @throws what the work throws; where the window can't be opened, what {@link enable} throws, and the work does not begin
   *
   * @example
   * ```ts
   * await maintenance.during(
   *   async (signal) => {
   *     for (const batch of batches) {
   *       signal.throwIfAborted();
   *       await move(batch);
   *     }
   *   },
   *   { message: 'We are moving to a larger database' },
   * );
   * ```
   */
  async during<T>(work: (signal: AbortSignal) => Promise<T>, window: EnableOptions = {}): Promise<T> {
    this.#assertNotForced();
    return this.temporaryWindows.during(work, window);
  }

  /**
   * Waits until maintenance is off.
   *
   * @param options - `scope`: as for {@link isActive}; `signal`: ends the waiting
   * @returns at once if nothing is active, else at the moment when the last window is turned off, or ends by the clock
   * @throws the reason of the `signal` when it aborts, a {@link MaintenanceAbortedError} when the application shuts down
   *
   * @example
   * ```ts
   * for await (const job of jobs) {
   *   await maintenance.whenInactive({ scope: 'reports' });
   *   await run(job);
   * }
   * ```
   */
  async whenInactive({ scope, signal }: { scope?: string; signal?: AbortSignal } = {}): Promise<void> {
    return waitUntilInactive({
      isActive: () => this.isActive(scope),
      changes: this.changes,
      signals: [...(signal ? [signal] : []), this.shutdownController.signal],
    });
  }

  /**
   * Reads the storage now.
   *
   * @returns the status after that; a storage that fails shows in `status.storage`
   */
  async refresh(): Promise<MaintenanceStatus> {
    const storage = unwrapCache(this.storage);
    // A cache that has seen what the storage holds gives nothing older afterwards. What fails here fails in the next line too.
    if (storage !== this.storage) await storage.read().catch(() => undefined);
    await this.monitor.refresh();
    return this.status();
  }

  /**
   * Waits until every instance of the application refuses what the active windows close, and has nothing in flight that it admitted
   * before. An instance that was there and falls silent holds it up, since nobody can tell whether it is dead or cut off.
   *
   * Streams are not waited for. A request that waits for this waits for itself, unless its handler has `@SkipMaintenance()`.
   *
   * @param options - `timeout`: milliseconds. Default: 60000
   * @returns also when the time is over, and as soon as only work that can't be counted is left: see `drained`
   * @throws {@link MaintenanceInactiveError} if maintenance is off, or is turned off meanwhile
   * @throws {@link MaintenanceStorageError} if the storage fails for long, or keeps no reports of instances
   *
   * @example
   * ```ts
   * await maintenance.enable({ message: 'Back at four' });
   * const { drained, pending } = await maintenance.drained({ timeout: 120_000 });
   * if (!drained) throw new Error(`held up by ${pending.map(({ instance }) => instance.host).join(', ')}`);
   * ```
   */
  async drained({ timeout = DEFAULT_DRAIN_TIMEOUT_MS }: { timeout?: number } = {}): Promise<DrainReport> {
    const { storage, clock } = this;
    return waitForDrain({ storage, clock, timeout, isForcedOn: this.monitor.getSnapshot().forced === true });
  }

  /**
   * What the instances of the application say of themselves, read from the storage.
   *
   * @throws {@link MaintenanceStorageError} if the storage fails, or keeps no reports of instances
   */
  async instances(): Promise<InstanceReport[]> {
    return readLiveInstances(this.storage, this.clock);
  }

  /** @internal */
  async startWindow(window: unknown, origin: ChangeOrigin): Promise<WriteResult> {
    this.#assertNotForced();
    return this.#adopt(await this.#writer.start(parseEnableOptions(window, this.clock.now()), origin));
  }

  /** @internal */
  async endWindows(which: unknown, origin: ChangeOrigin): Promise<WriteResult> {
    this.#assertNotForced();
    return this.#adopt(await this.#writer.end(parseDisableOptions(which), origin));
  }

  #adopt(written: WriteResult): WriteResult {
    this.monitor.adopt(written.state);
    return written;
  }

  #assertNotForced(): void {
    if (this.options.enabled !== undefined) throw new MaintenanceForcedError(this.options.enabled);
  }
}
