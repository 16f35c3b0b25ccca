import { Inject, Injectable } from '@nestjs/common';
import type { Observable, Subject } from 'rxjs';
import { assertSupportsReports } from './drain/assert-supports-reports.js';
import { MaintenanceDrainError } from './drain/maintenance-drain.error.js';
import { waitForDrain } from './drain/wait-for-drain.js';
import type { DrainReport } from './drain/drain-report.js';
import { readLiveInstances } from './drain/instance-reports.js';
import { TemporaryWindows } from './leases/temporary-windows.js';
import type { ResolvedOptions } from './options/resolved-options.js';
import type { DuringOptions } from './core/during-options.js';
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
  type WindowFields,
} from './core/window-options.js';
import { unwrapCache } from './storage/cache/cached-state-storage.js';
import { StateStorage } from './storage/state-storage.js';
import type { WriteResult } from './storage/state-writer.js';
import { WindowWriter } from './storage/window-writer.js';
import { STATUS_CHANGES, RESOLVED_OPTIONS, SHUTDOWN_CONTROLLER } from './maintenance.constants.js';

/** The fields of a window that can't be given to {@link MaintenanceService.enable}. */
type WindowAdditions = Pick<WindowFields, 'allowIp' | 'bypass'>;

/** The default timeout of {@link MaintenanceService.drained}. */
const DEFAULT_DRAIN_TIMEOUT_MS = 60_000;

/**
 * Turns maintenance on and off, and returns its status.
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
  /** Emits the status when it changes, also when a planned window starts or ends. */
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

  /** Returns the status from memory, without waiting for the storage. */
  status(): MaintenanceStatus {
    return createStatus(this.monitor, this.storage);
  }

  /**
   * Whether maintenance is on, from memory.
   *
   * @param scope - the part of the application; a window on `'*'` counts for every scope. Default: any active
   *   window counts
   */
  isActive(scope?: string): boolean {
    const { forced, active } = this.monitor.getSnapshot();
    if (forced !== null) return forced;
    if (scope === undefined) return active.length > 0;
    return active.some((window) => window.scope === scope || window.scope === ALL_SCOPES);
  }

  /**
   * Turns maintenance on: starts a window, or changes the given fields of the active window of the same scope and
   * mode. A start in the future always creates a new window. If nothing would change, nothing is written.
   *
   * @param window - the window. Default: everything, from now, until it is turned off
   * @returns the status after the write, as read back from the storage
   * @throws {@link InvalidWindowError} if a field of the window is invalid
   * @throws {@link MaintenanceForcedError} if the option `enabled` is set
   * @throws {@link MaintenanceStorageError} if the storage fails
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
   * Turns maintenance off: ends the active windows.
   *
   * @param which - `scope`: only windows of this scope; `id`: only this window, active or planned; `all`: planned
   *   windows too
   * @returns the status after the write, as read back from the storage
   * @throws {@link InvalidWindowError} if `which` has an unknown or invalid member
   * @throws {@link MaintenanceForcedError} if the option `enabled` is set
   * @throws {@link MaintenanceStorageError} if the storage fails
   *
   * @example
   * ```ts
   * await maintenance.disable({ scope: 'payments' });
   * ```
   */
  async disable(which: DisableOptions = {}): Promise<MaintenanceStatus> {
    await this.endWindows(which, { via: 'code' });
    return this.status();
  }

  /**
   * Runs work in a window of its own, which ends when the work is done, whether it succeeded or failed. Other
   * windows are not changed.
   *
   * The window has a lease of 60 s, which is renewed while the work is running: if the process dies, the window
   * ends within that time. A window that an operator has ended is not started again.
   *
   * @param work - the work. Its `signal` aborts with a {@link MaintenanceAbortedError} when the window is over or
   *   about to be: it was turned off, its `endsAt` has come, the application shuts down, or the lease could not be
   *   renewed, 15 s before it runs out
   * @param window - as for {@link enable}, without `startsAt` and `recurrence`; `wait`: waits for the drain before the
   *   work, at most `timeout` milliseconds; `onFailure: 'keep'`: leaves the window on, without a lease, if the work
   *   fails
   * @returns the result of the work
   * @throws the error of the work, or that of {@link enable} if the window can't start, or a
   *   {@link MaintenanceDrainError} if the drain times out: the work is not called then, and no window stays on
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
   *   { message: 'We are moving to a larger database', wait: true, onFailure: 'keep' },
   * );
   * ```
   */
  async during<T>(work: (signal: AbortSignal) => Promise<T>, window: DuringOptions = {}): Promise<T> {
    this.#assertNotForced();
    const { storage, clock } = this;
    if (window?.wait) assertSupportsReports(storage);
    return this.temporaryWindows.during(work, window, async (timeout, signal) => {
      const report = await waitForDrain({ storage, clock, timeout, signal });
      if (!report.drained) throw new MaintenanceDrainError(report);
    });
  }

  /**
   * Waits until maintenance is off.
   *
   * @param options - `scope`: as for {@link isActive}; `signal`: aborts the waiting
   * @returns a promise that resolves at once if maintenance is off, otherwise when the last window ends or is
   *   turned off
   * @throws the reason of the `signal` if it aborts, a {@link MaintenanceAbortedError} if the application shuts down
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
   * Reads the storage now, instead of at the next `refreshInterval` or notification.
   *
   * @returns the status after that; a failing storage is reported in `status.storage`
   */
  async refresh(): Promise<MaintenanceStatus> {
    const storage = unwrapCache(this.storage);
    // A cache never returns an older state than it has seen. An error here occurs in the next line too.
    if (storage !== this.storage) await storage.read().catch(() => undefined);
    await this.monitor.refresh();
    return this.status();
  }

  /**
   * Waits until every instance of the application applies the active windows and has finished its requests from
   * before them. An instance that stops reporting blocks the drain, because it may be partitioned and still
   * serving. Streams are not waited for.
   *
   * Calling this from a request handler deadlocks until `timeout`, unless the handler has `@SkipMaintenance()`.
   *
   * @param options - `timeout`: in milliseconds. Default: 60000
   * @returns the report, also after the timeout, and as soon as only work that can't be counted is left: check
   *   `drained`
   * @throws TypeError if `timeout` is not a number of milliseconds
   * @throws {@link MaintenanceInactiveError} if maintenance is off, or is turned off meanwhile
   * @throws {@link MaintenanceStorageError} if the storage fails for 30 s, or does not support instance reports
   *
   * @example
   * ```ts
   * await maintenance.enable({ message: 'Back at four' });
   * const { drained, pending } = await maintenance.drained({ timeout: 120_000 });
   * if (!drained) throw new Error(`Blocked by ${pending.map(({ instance }) => instance.host).join(', ')}`);
   * ```
   */
  async drained({ timeout = DEFAULT_DRAIN_TIMEOUT_MS }: { timeout?: number } = {}): Promise<DrainReport> {
    const { storage, clock } = this;
    return waitForDrain({ storage, clock, timeout, isForcedOn: this.monitor.getSnapshot().forced === true });
  }

  /**
   * Reads the reports of the running instances from the storage.
   *
   * @throws {@link MaintenanceStorageError} if the storage fails, or does not support instance reports
   */
  async instances(): Promise<InstanceReport[]> {
    return readLiveInstances(this.storage, this.clock);
  }

  /**
   * Does the work of {@link enable}, for a change that does not come from code.
   *
   * @param additions - what only that interface knows: an address to admit, the secrets of a bypass
   * @internal
   */
  async startWindow(window: unknown, origin: ChangeOrigin, additions: WindowAdditions = {}): Promise<WriteResult> {
    this.#assertNotForced();
    const fields = { ...parseEnableOptions(window, this.clock.now()), ...additions };
    return this.#adopt(await this.#writer.start(fields, origin));
  }

  /**
   * Does the work of {@link disable}, for a change that does not come from code.
   *
   * @internal
   */
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
