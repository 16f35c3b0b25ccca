const UNITS_MS = { d: 86_400_000, h: 3_600_000, m: 60_000, s: 1_000 };
const DURATION = /^(?:(?<d>\d+)d)?(?:(?<h>\d+)h)?(?:(?<m>\d+)m)?(?:(?<s>\d+)s)?$/;

/** Ten years. A longer duration is a mistake, and would exceed the range of dates. */
const MAX_DURATION_MS = 3_650 * UNITS_MS.d;

/**
 * Parses a duration such as `30m`, `2h`, `1h30m`, `90s` or `1d`.
 *
 * @returns milliseconds; `undefined` for text without units, for zero, and for more than ten years
 */
export function parseDuration(text: string): number | undefined {
  const groups = DURATION.exec(text.replace(/\s+/g, '').toLowerCase())?.groups;
  if (!groups) return undefined;
  let total = 0;
  for (const [unit, milliseconds] of Object.entries(UNITS_MS)) total += Number(groups[unit] ?? 0) * milliseconds;
  return total > 0 && total <= MAX_DURATION_MS ? total : undefined;
}

/** Formats a duration with at most two units: `2 days 3 h`, `1 h 30 min`, `4 min 5 s`. */
export function formatDuration(milliseconds: number): string {
  const grain = milliseconds >= UNITS_MS.d ? UNITS_MS.h : milliseconds >= 10 * UNITS_MS.m ? UNITS_MS.m : UNITS_MS.s;
  const seconds = (Math.round(milliseconds / grain) * grain) / 1_000;
  const days = Math.floor(seconds / 86_400);
  const hours = Math.floor(seconds / 3_600) % 24;
  const minutes = Math.floor(seconds / 60) % 60;
  if (days > 0) return joinUnits(`${days} ${days === 1 ? 'day' : 'days'}`, hours, 'h');
  if (hours > 0) return joinUnits(`${hours} h`, minutes, 'min');
  if (minutes > 0) return joinUnits(`${minutes} min`, seconds % 60, 's');
  return `${seconds} s`;
}

function joinUnits(first: string, count: number, unit: string): string {
  return count === 0 ? first : `${first} ${count} ${unit}`;
}
