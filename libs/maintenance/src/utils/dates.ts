const ISO_DATE_TIME =
  /^(?<year>\d{4})-(?<month>\d{2})-(?<day>\d{2})T(?<hour>\d{2}):(?<minute>\d{2})(?::(?<second>\d{2})(?:[.,]\d{1,9})?)?(?:Z|[+-]\d{2}:?\d{2})$/i;

/**
 * Parses a date and time in ISO 8601 with a time zone, such as `2030-12-01T02:00Z` or `2030-12-01T03:00:00+01:00`.
 *
 * @returns milliseconds since the epoch; `undefined` for any other text, for a day that the month does not have, and
 *   for a local time, which would mean another moment on another machine
 */
export function parseDate(text: string): number | undefined {
  const fields = ISO_DATE_TIME.exec(text)?.groups;
  if (!fields) return undefined;
  // Date.parse reads the 30th of February as the 2nd of March.
  const lastDay = new Date(Date.UTC(Number(fields.year), Number(fields.month), 0)).getUTCDate();
  if (Number(fields.day) > lastDay) return undefined;
  const time = Date.parse(
    text
      .replace(',', '.')
      .toUpperCase()
      .replace(/([+-]\d{2})(\d{2})$/, '$1:$2'),
  );
  return Number.isNaN(time) ? undefined : time;
}

/** Formats `time` (milliseconds since the epoch) as ISO 8601 in UTC. */
export function toIso(time: number): string {
  return new Date(time).toISOString();
}
