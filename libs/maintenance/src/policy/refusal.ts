import {
  getAnnouncedEnd,
  ALL_SCOPES,
  toPublicWindow,
  getStart,
  type MaintenanceWindow,
  type StoredWindow,
} from '../core/maintenance-window.js';

/** Why somebody is refused, and until when. */
export interface Refusal {
  /** The window that governs; `null` where maintenance is forced without one. */
  readonly window: MaintenanceWindow | null;
  /** Seconds after which to try again, at least 1; `null`: nothing is said. */
  readonly retryAfter: number | null;
}

/** Makes refusals. For as long as one says the same, it is the same object, so that answers can be kept with it. */
export class RefusalFactory {
  readonly #byWindow = new WeakMap<StoredWindow, Refusal>();
  #withoutWindow: Refusal | null = null;

  /** @param defaultRetryAfter - seconds for what has no end; 0 says nothing */
  constructor(private readonly defaultRetryAfter: number) {}

  /**
   * The refusal that several windows give together: the one that ends last counts, one without an end beats all.
   *
   * @param windows - the active windows that cover the request; none where maintenance is forced
   * @param now - milliseconds since the epoch
   */
  create(windows: readonly StoredWindow[], now: number): Refusal {
    const governing = windows.length === 0 ? null : windows.reduce(pickLater);
    const retryAfter = this.#computeRetryAfter(governing, now);
    const known = governing ? this.#byWindow.get(governing) : this.#withoutWindow;
    if (known?.retryAfter === retryAfter) return known;
    const refusal = Object.freeze({ window: governing && Object.freeze(toPublicWindow(governing)), retryAfter });
    if (governing) this.#byWindow.set(governing, refusal);
    else this.#withoutWindow = refusal;
    return refusal;
  }

  #computeRetryAfter(governing: StoredWindow | null, now: number): number | null {
    const end = governing ? getAnnouncedEnd(governing) : Infinity;
    const left = end === Infinity ? this.defaultRetryAfter : Math.max(1, Math.ceil((end - now) / 1000));
    const retryAfter = governing?.retryAfter ?? left;
    return retryAfter > 0 ? retryAfter : null;
  }
}

function pickLater(a: StoredWindow, b: StoredWindow): StoredWindow {
  const difference = getAnnouncedEnd(b) - getAnnouncedEnd(a);
  if (difference > 0) return b;
  if (difference < 0) return a;
  return getBreadth(b) > getBreadth(a) || (getBreadth(b) === getBreadth(a) && getStart(b) < getStart(a)) ? b : a;
}

// Between windows that end together, the wider one tells more of what is closed.
function getBreadth(window: StoredWindow): number {
  return (window.scope === ALL_SCOPES ? 2 : 0) + (window.mode === 'full' ? 1 : 0);
}
