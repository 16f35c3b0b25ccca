/** Formats a value for an error message, as JSON of at most 80 characters. */
export function formatValue(value: unknown): string {
  if (value instanceof Date) return 'an invalid Date';
  const shown = toJson(value) ?? String(value);
  return shown.length > 80 ? `${shown.slice(0, 80)}...` : shown;
}

function toJson(value: unknown): string | undefined {
  try {
    return JSON.stringify(value);
  } catch {
    return 'a value that JSON can not represent';
  }
}
