/** The times that the page's template can't compute. */
export interface PageTimes {
  /** Whole seconds until the end, at least 1; `null` without an end. */
  secondsLeft: number | null;
  /** The end for browsers without scripts: `Tue, 01 Dec 2026 02:00 UTC`. */
  endsAtText: string | null;
  /** Seconds after which a page without scripts reloads. */
  refreshSeconds: number;
}

/**
 * Returns the times of the page for one refusal.
 *
 * `secondsLeft` is not `retryAfter`, which an operator may set to anything, and which a window without an end has too.
 *
 * @param now - milliseconds since the epoch
 */
export function getPageTimes(refusal: { endsAt: string | null; retryAfter: number | null }, now: number): PageTimes {
  const { endsAt, retryAfter } = refusal;
  return {
    secondsLeft: endsAt === null ? null : Math.max(1, Math.ceil((Date.parse(endsAt) - now) / 1000)),
    endsAtText: endsAt === null ? null : new Date(endsAt).toUTCString().replace(/:\d\d GMT$/, ' UTC'),
    refreshSeconds: Math.min(300, Math.max(30, retryAfter ?? 60)),
  };
}
