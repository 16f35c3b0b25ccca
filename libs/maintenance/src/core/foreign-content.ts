/** The beginning of a state, without white space. */
const STATE_PREFIX = '{"format":1,"lineage":"';

/** Whether a text is empty, or has only the zeros that a crash leaves. */
export function isBlank(text: string): boolean {
  return findFirstCharacter(text) === -1;
}

/**
 * Describes content that never was a state, such as the file of another program at a mistyped path. Content that begins
 * like a state, or names a lineage, was one; blank content may have been.
 *
 * @returns `null` for content that is or was a state
 */
export function describeForeignContent(text: string): string | null {
  if (isBlank(text) || looksLikeState(text)) return null;
  try {
    const json: unknown = JSON.parse(text.trim());
    const isObject = typeof json === 'object' && json !== null && !Array.isArray(json);
    return isObject ? 'it is JSON with other members' : 'it is JSON, but not an object';
  } catch {
    return /[\0\ufffd]/.test(text) ? 'it is binary data' : 'it is text, not JSON, nor just 1 or 0';
  }
}

function looksLikeState(text: string): boolean {
  if (/"lineage"\s*:/.test(text)) return true;
  const rest = text.slice(findFirstCharacter(text));
  const beginning = rest.slice(0, 100).replace(/\s/g, '');
  const isCutOff = rest.length < 100 && STATE_PREFIX.startsWith(beginning);
  return isCutOff || /^\{"format":\d/.test(beginning);
}

function findFirstCharacter(text: string): number {
  return text.search(/[^\s\0\ufeff]/);
}
