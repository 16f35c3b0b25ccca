import type { Change } from '../core/window-changes.js';
import type { Clock } from '../utils/clock.js';
import { renewLease } from '../core/lease-changes.js';
import type { MaintenanceState } from '../core/maintenance-state.js';
import { getAnnouncedEnd, getEnd, isActiveAt, type StoredWindow } from '../core/maintenance-window.js';
import { isStorageError } from '../errors/maintenance-storage.error.js';
import type { LeaseTimes } from './lease-times.js';
import { createEndReachedError, createLostError, createExpiredError, createEndedError } from './lease-errors.js';

/** Creates a change of the stored windows; `null` if nothing has to be changed. */
export type CreateChange = (windows: readonly StoredWindow[], now: number) => Change | null;

/** The options of {@link Lease}. */
export interface LeaseOptions {
  /** Writes a change, and returns the state that is stored then. */
  change: (createChange: CreateChange) => Promise<MaintenanceState | null>;
  clock: Clock;
  times: LeaseTimes;
  /** The location of the storage, for messages. */
  location: string;
}

/**
 * Renews the lease of a window while the work in it is running, and aborts the work before the lease can run out. A
 * window that has ended is never started again.
 */
export class Lease {
  readonly #abortController = new AbortController();
  #window: StoredWindow;
  /** The latest end that may be stored: a renewal that failed may have been written. */
  #latestEnd: number;
  #failure: unknown = null;
  #isRenewing = false;
  #shouldRecheck = false;
  #isStopped = false;
  #isGone = false;
  #cancelRenewal: () => void = () => undefined;
  #cancelAbort: () => void = () => undefined;

  /** @param window - the window as it was read back from the storage */
  constructor(
    private readonly options: LeaseOptions,
    window: StoredWindow,
  ) {
    this.#window = window;
    this.#latestEnd = getEnd(window);
    this.#confirm(window);
  }

  /** The id of the window. */
  get id(): string {
    return this.#window.id;
  }

  /** Aborts when the window is over, or may soon be. Its reason is a `MaintenanceAbortedError`. */
  get signal(): AbortSignal {
    return this.#abortController.signal;
  }

  /** Whether the window is no longer stored, so that it need not be ended. */
  get isGone(): boolean {
    return this.#isGone;
  }

  /** The time by which the window ends without a renewal, in milliseconds since the epoch. */
  get latestEnd(): number {
    return this.#latestEnd;
  }

  /**
   * Renews at once, instead of later, if `state` does not contain the window: the storage tells whether it has ended.
   */
  recheck(state: MaintenanceState | null): void {
    if (state?.windows.some(({ id }) => id === this.id)) return;
    this.#shouldRecheck = true;
    void this.#renew();
  }

  /** Aborts the work, and stops renewing. */
  abort(reason: Error): void {
    if (this.#isStopped) return;
    this.stop();
    this.#abortController.abort(reason);
  }

  /** Stops renewing. */
  stop(): void {
    this.#isStopped = true;
    this.#cancelRenewal();
    this.#cancelAbort();
  }

  async #renew(): Promise<void> {
    if (this.#isRenewing || this.#isStopped) return;
    this.#isRenewing = true;
    this.#shouldRecheck = false;
    this.#cancelRenewal();
    try {
      this.#checkWindow(await this.options.change((windows, now) => this.#createRenewal(windows, now)));
    } catch (error) {
      this.#fail(error);
    }
    this.#isRenewing = false;
    if (this.#shouldRecheck) void this.#renew();
  }

  #createRenewal(windows: readonly StoredWindow[], now: number): Change | null {
    // The work may have ended while the change was retried.
    const change = this.#isStopped ? null : renewLease(windows, this.id, now, this.options.times.durationMs);
    if (change) this.#latestEnd = Math.max(this.#latestEnd, getEnd(change.affected[0]!));
    return change;
  }

  #checkWindow(state: MaintenanceState | null): void {
    if (this.#isStopped) return;
    const now = this.options.clock.now();
    const window = state?.windows.find(({ id }) => id === this.id);
    if (window && isActiveAt(window, now)) return this.#confirm(window);
    this.#isGone = !window;
    this.abort(createEndedError(window ?? this.#window, state, now, this.options.location));
  }

  #fail(error: unknown): void {
    if (this.#isStopped) return;
    this.#isGone = isStorageError(error) && error.code === 'lost';
    if (this.#isGone) return this.abort(createLostError(this.id, error));
    this.#failure = error;
    this.#scheduleRenewal(this.options.times.retryDelayMs);
  }

  #confirm(window: StoredWindow): void {
    this.#window = window;
    this.#failure = null;
    this.#scheduleRenewal(this.options.times.renewIntervalMs);
    this.#scheduleAbort();
  }

  #scheduleRenewal(delay: number): void {
    this.#cancelRenewal();
    this.#cancelRenewal = this.options.clock.wake(() => void this.#renew(), delay);
  }

  /** Aborts the work if it is time to, otherwise sets a timer for that time. */
  #scheduleAbort(): void {
    const { clock, times } = this.options;
    this.#cancelAbort();
    const end = getEnd(this.#window);
    const isRequestedEnd = end === getAnnouncedEnd(this.#window);
    const at = isRequestedEnd ? end : end - times.safetyMarginMs;
    if (clock.now() < at) this.#cancelAbort = clock.wake(() => this.#scheduleAbort(), at - clock.now());
    else
      this.abort(
        isRequestedEnd ? createEndReachedError(this.id, end) : createExpiredError(this.id, end, this.#failure),
      );
  }
}
