import {
  announcedEndOf,
  EVERYTHING,
  publicWindow,
  startOf,
  type MaintenanceWindow,
  type StoredWindow,
} from '../state/maintenance-window.js';

/** Why somebody is refused, and until when. */
export interface Refusal {
  /** The window that governs; `null` where maintenance is forced without one. */
  window: MaintenanceWindow | null;
  /** Seconds after which to try again, at least 1; `null`: nothing is said. */
  retryAfter: number | null;
}

/**
 * The refusal that several windows give together: the one that ends last counts, one without an end beats all.
 *
 * @param windows - the active windows that cover the request; none where maintenance is forced
 * @param now - milliseconds since the epoch
 * @param defaultRetryAfter - seconds for what has no end; 0 says nothing
 */
export function refusalBy(windows: readonly StoredWindow[], now: number, defaultRetryAfter: number): Refusal {
  const governing = windows.length === 0 ? null : windows.reduce(laterOf);
  const end = governing ? announcedEndOf(governing) : Infinity;
  const left = end === Infinity ? defaultRetryAfter : Math.max(1, Math.ceil((end - now) / 1000));
  const retryAfter = governing?.retryAfter ?? left;
  return { window: governing && publicWindow(governing), retryAfter: retryAfter > 0 ? retryAfter : null };
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
