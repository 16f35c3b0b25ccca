import {
  findLastEnding,
  getAnnouncedEnd,
  toClientWindow,
  type MaintenanceWindow,
  type StoredWindow,
} from '../core/maintenance-window.js';

/** Why a call is refused, and when to try again. */
export interface Refusal {
  /** The covering window that ends last; `null` where maintenance is forced on. */
  readonly window: MaintenanceWindow | null;
  /** Seconds after which to try again, at least 1; `null` for no `Retry-After`. */
  readonly retryAfter: number | null;
}

/** Creates refusals. It returns the same object as long as nothing changes, so that answers can be cached by it. */
export class RefusalFactory {
  readonly #byWindow = new WeakMap<StoredWindow, Refusal>();
  #withoutWindow: Refusal | null = null;

  /** @param defaultRetryAfter - seconds for windows without an end; 0 for no `Retry-After` */
  constructor(private readonly defaultRetryAfter: number) {}

  /**
   * Creates the refusal by several windows: the one that ends last counts, and one without an end beats all.
   *
   * @param windows - the active windows that cover the call; empty where maintenance is forced on
   * @param now - milliseconds since the epoch
   */
  create(windows: readonly StoredWindow[], now: number): Refusal {
    const covering = windows.length === 0 ? null : findLastEnding(windows);
    const retryAfter = this.#computeRetryAfter(covering, now);
    const known = covering ? this.#byWindow.get(covering) : this.#withoutWindow;
    if (known?.retryAfter === retryAfter) return known;
    const refusal = Object.freeze({ window: covering && Object.freeze(toClientWindow(covering)), retryAfter });
    if (covering) this.#byWindow.set(covering, refusal);
    else this.#withoutWindow = refusal;
    return refusal;
  }

  #computeRetryAfter(covering: StoredWindow | null, now: number): number | null {
    const end = covering ? getAnnouncedEnd(covering) : Infinity;
    const left = end === Infinity ? this.defaultRetryAfter : Math.max(1, Math.ceil((end - now) / 1000));
    const retryAfter = covering?.retryAfter ?? left;
    return retryAfter > 0 ? retryAfter : null;
  }
}
