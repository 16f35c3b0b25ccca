// C0, DEL and C1 control a terminal; the others end a line or reorder the text around them.
// eslint-disable-next-line no-control-regex
const CONTROL_CHARACTERS = /[\u0000-\u001f\u007f-\u009f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]/g;

/** Replaces control characters by escape sequences of JSON, so that a log or a terminal shows them and obeys none. */
export function escapeControlCharacters(text: string): string {
  return text.replace(CONTROL_CHARACTERS, escapeCharacter);
}

/** Formats a value as JSON that parses to the same value, with control characters escaped. */
export function toVisibleJson(value: unknown): string {
  return JSON.stringify(value, null, 2).replace(CONTROL_CHARACTERS, (character) =>
    character === '\n' ? '\n' : escapeCharacter(character),
  );
}

function escapeCharacter(character: string): string {
  if (character === '\n') return '\\n';
  if (character === '\t') return '\\t';
  return `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`;
}
