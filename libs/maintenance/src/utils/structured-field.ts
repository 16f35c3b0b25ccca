/** How long a text may be in a header. Parsers have to accept strings of this length (RFC 9651, section 3.3.3). */
const MAX_TEXT_LENGTH = 1_024;

/**
 * Formats a text for a structured field: as a String, or as a Display String (RFC 9651, section 3.3.8) if it has other
 * characters than those of ASCII.
 *
 * @returns `null` if the text is too long for a header
 */
export function formatStructuredText(text: string): string | null {
  if (text.length > MAX_TEXT_LENGTH) return null;
  const formatted = /^[\x20-\x7e]*$/.test(text) ? `"${text.replace(/["\\]/g, '\\$&')}"` : `%"${encodeBytes(text)}"`;
  return formatted.length > MAX_TEXT_LENGTH ? null : formatted;
}

/** Formats a date as the seconds since the epoch, rounded up (RFC 9651, section 3.3.7). */
export function formatStructuredDate(milliseconds: number): string {
  return `@${Math.ceil(milliseconds / 1000)}`;
}

// In lower case, as the section requires.
function encodeBytes(text: string): string {
  return Array.from(Buffer.from(text), (byte) =>
    byte < 0x20 || byte > 0x7e || byte === 0x25 || byte === 0x22
      ? `%${byte.toString(16).padStart(2, '0')}`
      : String.fromCharCode(byte),
  ).join('');
}
