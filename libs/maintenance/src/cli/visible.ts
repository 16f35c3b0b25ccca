// C0, DEL and C1 drive a terminal; the others end a line, or reorder the text around them.
// eslint-disable-next-line no-control-regex
const DANGEROUS = /[\u0000-\u001f\u007f-\u009f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]/g;

/** The text with every control character written out as an escape sequence of JSON, so that a terminal shows it and obeys nothing. */
export function visible(text: string): string {
  return text.replace(DANGEROUS, escaped);
}

/** JSON for a person or a program: what {@link visible} escapes is escaped here too, and reads back the same. */
export function visibleJson(value: unknown): string {
  return JSON.stringify(value, null, 2).replace(DANGEROUS, (character) =>
    character === '\n' ? '\n' : escaped(character),
  );
}

function escaped(character: string): string {
  if (character === '\n') return '\\n';
  if (character === '\t') return '\\t';
  return `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`;
}
