import type { Change } from '../core/window-changes.js';
import type { Clock } from '../utils/clock.js';
import { renewLease } from '../core/lease-changes.js';
import type { MaintenanceState } from '../core/maintenance-state.js';
import { getAnnouncedEnd, getEnd, isActiveAt, type StoredWindow } from '../core/maintenance-window.js';
import { isStorageError } from '../errors/maintenance-storage.error.js';
import type { LeaseTimes } from './lease-times.js';
import { createEndReachedError, createLostError, createExpiredError, describeEnd } from './lease-errors.js';

/** Works out a change of the windows that are stored; `null`: there is none to make. */
export type WindowChange = (windows: readonly StoredWindow[], now: number) => Change | null;

export interface LeaseOptions {
  /** Changes the stored state, and gives back what the storage holds then. */
  change: (work: WindowChange) => Promise<MaintenanceState | null>;
  clock: Clock;
  times: LeaseTimes;
  /** Of the storage, for people. */
  location: string;
}

/**
 * Keeps a window open as long as its owner works, and tells the owner before nobody can rely on it any more. What has ended is not
 * opened again, whoever ended it.
 */
export class Lease {
  readonly #abortController = new AbortController();
  #window: StoredWindow;
  /** The end of the window as it may be stored, where a renewal was not confirmed. */
  #latestEnd: number;
  #failure: unknown = null;
  #isRenewing = false;
  #shouldRecheck = false;
  #isStopped = false;
  #isGone = false;
  #cancelRenewal: () => void = () => undefined;
  #cancelAbort: () => void = () => undefined;

  /** @param window - as the storage has confirmed it */
  constructor(
    private readonly options: LeaseOptions,
    window: StoredWindow,
  ) {
    this.#window = window;
    this.#latestEnd = getEnd(window);
    this.#confirm(window);
  }

  get id(): string {
    return this.#window.id;
  }

  /** Aborts when the window is over, or may soon be; the reason says why. */
  get signal(): AbortSignal {
    return this.#abortController.signal;
  }

  /** Whether the window was seen to be gone, so that there is nothing to close. */
  get isGone(): boolean {
    return this.#isGone;
  }

  /** Milliseconds since the epoch by when the window ends by itself, if nobody closes it. */
  get latestEnd(): number {
    return this.#latestEnd;
  }

  /** Asks the storage at once, rather than at the next renewal, where the window is not in the state that the instance goes by. */
  recheck(state: MaintenanceState | null): void {
    if (state?.windows.some(({ id }) => id === this.id)) return;
    this.#shouldRecheck = true;
    void this.#renew();
  }

  /** Tells the owner to stop, and renews no more. */
  abort(reason: Error): void {
    if (this.#isStopped) return;
    this.stop();
    this.#abortController.abort(reason);
  }

  /** Renews no more. */
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
    // Between two tries the owner may have stopped.
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
    this.abort(describeEnd(window ?? this.#window, state, now, this.options.location));
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

  /** Tells the owner when it is time to, and else sees to it that it is woken then. */
  #scheduleAbort(): void {
    const { clock, times } = this.options;
    this.#cancelAbort();
    const end = getEnd(this.#window);
    const isAnnounced = end === getAnnouncedEnd(this.#window);
    const at = isAnnounced ? end : end - times.safetyMarginMs;
    if (clock.now() < at) this.#cancelAbort = clock.wake(() => this.#scheduleAbort(), at - clock.now());
    else
      this.abort(isAnnounced ? createEndReachedError(this.id, end) : createExpiredError(this.id, end, this.#failure));
  }
}
