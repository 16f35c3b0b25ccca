import { ALL_SCOPES, getAnnouncedEnd } from '../core/maintenance-window.js';
import type { Refusal } from '../policy/refusal.js';
import { formatStructuredDate, formatStructuredText } from '../utils/structured-field.js';

/** The header that tells a refusal from every other 503. */
export const MODE_HEADER = 'Maintenance-Mode';

/** Returns the headers that every refusal has, whatever its format. */
export function createRefusalHeaders(refusal: Refusal): Record<string, string> {
  const { retryAfter } = refusal;
  return {
    'Cache-Control': 'no-store',
    ...(retryAfter !== null && { 'Retry-After': String(retryAfter) }),
    [MODE_HEADER]: formatModeHeader(refusal),
  };
}

/**
 * Formats the mode of the covering window as an item of a structured field, with its scope and its end:
 * `full;scope="payments";until=@1659578233`. A scope that is too long for a header is left out.
 */
export function formatModeHeader({ window }: Refusal): string {
  const scope = formatStructuredText(window?.scope ?? ALL_SCOPES);
  const end = window === null ? Infinity : getAnnouncedEnd(window);
  return [
    window?.mode ?? 'full',
    ...(scope === null ? [] : [`scope=${scope}`]),
    ...(end === Infinity ? [] : [`until=${formatStructuredDate(end)}`]),
  ].join(';');
}
