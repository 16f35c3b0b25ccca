/** The times that the page's template can't compute. */
export interface PageTimes {
  /** Whole seconds until the end, at least 1; `null` without an end. */
  secondsLeft: number | null;
  /** The end for browsers without scripts: `Tuesday, December 1, 2026 at 2:00 AM UTC`. */
  endsAtText: string | null;
  /** Seconds after which a page without scripts reloads. */
  refreshSeconds: number;
}

/**
 * Returns the times of the page for one refusal.
 *
 * `secondsLeft` is not `retryAfter`, which an operator may set to anything, and which a window without an end has too.
 *
 * @param refusal - its end and its `Retry-After`
 * @param language - the tag of the language
 * @param now - milliseconds since the epoch
 */
export function getPageTimes(
  refusal: { endsAt: string | null; retryAfter: number | null },
  language: string,
  now: number,
): PageTimes {
  const { endsAt, retryAfter } = refusal;
  return {
    secondsLeft: endsAt === null ? null : Math.max(1, Math.ceil((Date.parse(endsAt) - now) / 1000)),
    endsAtText: endsAt === null ? null : formatEnd(endsAt, language),
    refreshSeconds: Math.min(300, Math.max(30, retryAfter ?? 60)),
  };
}

/** Formats a moment in UTC, since the time zone of the reader is unknown. */
function formatEnd(endsAt: string, language: string): string {
  return new Intl.DateTimeFormat(language, {
    weekday: 'long',
    day: 'numeric',
    month: 'long',
    year: 'numeric',
    hour: 'numeric',
    minute: '2-digit',
    timeZone: 'UTC',
    timeZoneName: 'short',
  }).format(Date.parse(endsAt));
}
