import { InvalidWindowError } from '../errors/invalid-window.error.js';
import { toLanguageTag } from '../utils/language-tag.js';

/** Messages by the tags of their languages (BCP 47). */
export type WindowMessages = Readonly<Record<string, string>>;

/** The number of languages in which a window has a message, so that windows fit into a state. */
const MAX_MESSAGES = 100;

/**
 * Parses the messages of a window by language.
 *
 * @returns the messages that are not empty; `undefined` where nothing is given
 * @throws {@link InvalidWindowError} that names the language that can't be used
 */
export function parseMessages(value: unknown): WindowMessages | undefined {
  if (value === undefined) return undefined;
  if (value === null) return {};
  if (typeof value !== 'object' || Array.isArray(value)) {
    throw new InvalidWindowError(
      '`messages` must be an object of messages by language, such as {"de": "Gleich zurück"}.',
    );
  }
  const messages: Record<string, string> = {};
  for (const [name, text] of Object.entries(value) as [string, unknown][]) {
    const tag = toLanguageTag(name);
    if (tag === undefined) {
      throw new InvalidWindowError(
        `\`messages\`: ${JSON.stringify(name.slice(0, 80))} is no language tag (BCP 47), such as "de" or "pt-BR".`,
      );
    }
    if (typeof text !== 'string') throw new InvalidWindowError(`\`messages.${tag}\` must be a string.`);
    if (Object.hasOwn(messages, tag)) throw new InvalidWindowError(`\`messages\` has the language ${tag} twice.`);
    if (text !== '') messages[tag] = text;
  }
  const count = Object.keys(messages).length;
  if (count <= MAX_MESSAGES) return messages;
  throw new InvalidWindowError(
    `\`messages\` has ${count} languages; a window has messages in at most ${MAX_MESSAGES}.`,
  );
}

/**
 * Returns the messages of a window after a change.
 *
 * @param given - the messages that replace those before; `undefined` keeps them
 * @param before - the messages so far, which are returned where they stay the same
 * @returns `undefined` for none
 */
export function changeMessages(given: WindowMessages | undefined, before?: WindowMessages): WindowMessages | undefined {
  if (given === undefined) return before;
  const tags = Object.keys(given);
  if (tags.length === 0) return undefined;
  const isSame =
    before && Object.keys(before).length === tags.length && tags.every((tag) => given[tag] === before[tag]);
  return isSame ? before : given;
}
