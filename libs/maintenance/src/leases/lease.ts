import type { Change } from '../core/changes.js';
import type { Clock } from '../utils/clock.js';
import { renewLease } from '../core/lease-changes.js';
import type { MaintenanceState } from '../core/maintenance-state.js';
import { announcedEndOf, endOf, isActiveAt, type StoredWindow } from '../core/maintenance-window.js';
import { isStorageError } from '../errors/maintenance-storage.error.js';
import type { LeaseTimes } from './lease-times.js';
import { endReached, lost, runsOut, whyOver } from './reasons.js';

/** Works out a change of the windows that are stored; `null`: there is none to make. */
export type LeaseWork = (windows: readonly StoredWindow[], now: number) => Change | null;

export interface LeaseParts {
  /** Changes the stored state, and gives back what the storage holds then. */
  change: (work: LeaseWork) => Promise<MaintenanceState | null>;
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
  readonly #over = new AbortController();
  #window: StoredWindow;
  /** The end of the window as it may be stored, where a renewal was not confirmed. */
  #latestEnd: number;
  #failure: unknown = null;
  #isRenewing = false;
  #isDoubtful = false;
  #isStopped = false;
  #isGone = false;
  #cancelRenewal: () => void = () => undefined;
  #cancelAlarm: () => void = () => undefined;

  /** @param window - as the storage has confirmed it */
  constructor(
    private readonly parts: LeaseParts,
    window: StoredWindow,
  ) {
    this.#window = window;
    this.#latestEnd = endOf(window);
    this.#confirm(window);
  }

  get id(): string {
    return this.#window.id;
  }

  /** Aborts when the window is over, or may soon be; the reason says why. */
  get signal(): AbortSignal {
    return this.#over.signal;
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
  review(state: MaintenanceState | null): void {
    if (state?.windows.some(({ id }) => id === this.id)) return;
    this.#isDoubtful = true;
    void this.#renew();
  }

  /** Tells the owner to stop, and renews no more. */
  abort(reason: Error): void {
    if (this.#isStopped) return;
    this.stop();
    this.#over.abort(reason);
  }

  /** Renews no more. */
  stop(): void {
    this.#isStopped = true;
    this.#cancelRenewal();
    this.#cancelAlarm();
  }

  async #renew(): Promise<void> {
    if (this.#isRenewing || this.#isStopped) return;
    this.#isRenewing = true;
    this.#isDoubtful = false;
    this.#cancelRenewal();
    try {
      this.#judge(await this.parts.change((windows, now) => this.#renewed(windows, now)));
    } catch (error) {
      this.#fail(error);
    }
    this.#isRenewing = false;
    if (this.#isDoubtful) void this.#renew();
  }

  #renewed(windows: readonly StoredWindow[], now: number): Change | null {
    // Between two tries the owner may have stopped.
    const change = this.#isStopped ? null : renewLease(windows, this.id, now, this.parts.times.length);
    if (change) this.#latestEnd = Math.max(this.#latestEnd, endOf(change.concerned[0]!));
    return change;
  }

  #judge(state: MaintenanceState | null): void {
    if (this.#isStopped) return;
    const now = this.parts.clock.now();
    const window = state?.windows.find(({ id }) => id === this.id);
    if (window && isActiveAt(window, now)) return this.#confirm(window);
    this.#isGone = !window;
    this.abort(whyOver(window ?? this.#window, state, now, this.parts.location));
  }

  #fail(error: unknown): void {
    if (this.#isStopped) return;
    this.#isGone = isStorageError(error) && error.code === 'lost';
    if (this.#isGone) return this.abort(lost(this.id, error));
    this.#failure = error;
    this.#renewIn(this.parts.times.retry);
  }

  #confirm(window: StoredWindow): void {
    this.#window = window;
    this.#failure = null;
    this.#renewIn(this.parts.times.renewal);
    this.#alarm();
  }

  #renewIn(delay: number): void {
    this.#cancelRenewal();
    this.#cancelRenewal = this.parts.clock.wake(() => void this.#renew(), delay);
  }

  /** Tells the owner when it is time to, and else sees to it that it is woken then. */
  #alarm(): void {
    const { clock, times } = this.parts;
    this.#cancelAlarm();
    const end = endOf(this.#window);
    const isAnnounced = end === announcedEndOf(this.#window);
    const at = isAnnounced ? end : end - times.margin;
    if (clock.now() < at) this.#cancelAlarm = clock.wake(() => this.#alarm(), at - clock.now());
    else this.abort(isAnnounced ? endReached(this.id, end) : runsOut(this.id, end, this.#failure));
  }
}
