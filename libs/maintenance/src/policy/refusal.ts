import {
  announcedEndOf,
  EVERYTHING,
  publicWindow,
  startOf,
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
export class Refusals {
  readonly #ofWindow = new WeakMap<StoredWindow, Refusal>();
  #withoutWindow: Refusal | null = null;

  /** @param defaultRetryAfter - seconds for what has no end; 0 says nothing */
  constructor(private readonly defaultRetryAfter: number) {}

  /**
   * The refusal that several windows give together: the one that ends last counts, one without an end beats all.
   *
   * @param windows - the active windows that cover the request; none where maintenance is forced
   * @param now - milliseconds since the epoch
   */
  by(windows: readonly StoredWindow[], now: number): Refusal {
    const governing = windows.length === 0 ? null : windows.reduce(laterOf);
    const retryAfter = this.#retryAfter(governing, now);
    const known = governing ? this.#ofWindow.get(governing) : this.#withoutWindow;
    if (known?.retryAfter === retryAfter) return known;
    const refusal = Object.freeze({ window: governing && Object.freeze(publicWindow(governing)), retryAfter });
    if (governing) this.#ofWindow.set(governing, refusal);
    else this.#withoutWindow = refusal;
    return refusal;
  }

  #retryAfter(governing: StoredWindow | null, now: number): number | null {
    const end = governing ? announcedEndOf(governing) : Infinity;
    const left = end === Infinity ? this.defaultRetryAfter : Math.max(1, Math.ceil((end - now) / 1000));
    const retryAfter = governing?.retryAfter ?? left;
    return retryAfter > 0 ? retryAfter : null;
  }
}

function laterOf(a: StoredWindow, b: StoredWindow): StoredWindow {
  const difference = announcedEndOf(b) - announcedEndOf(a);
  if (difference > 0) return b;
  if (difference < 0) return a;
  return weight(b) > weight(a) || (weight(b) === weight(a) && startOf(b) < startOf(a)) ? b : a;
}

// Between windows that end together, the wider one tells more of what is closed.
function weight(window: StoredWindow): number {
  return (window.scope === EVERYTHING ? 2 : 0) + (window.mode === 'full' ? 1 : 0);
}
