import { parseColor } from '../page/color.js';
import { ENGLISH } from '../page/page-texts.js';
import { toLanguageTag } from '../utils/language-tag.js';
import { object, text, type OptionType } from './option-types.js';

function createCheckedText(expected: string, isUsable: (value: string) => boolean): OptionType {
  return {
    ...text,
    check: (value) => text.check(value) ?? (isUsable(value as string) ? undefined : expected),
  };
}

export const color = createCheckedText(
  'an opaque color such as "#0d6156", "rgb(13 97 86)" or "hsl(172 76% 22%)"',
  (value) => parseColor(value) !== undefined,
);

export const statusUrl = createCheckedText('an absolute http(s) URL or a path such as "/status"', (value) =>
  isLink(value, ['http:', 'https:']),
);

export const supportUrl = createCheckedText('an http(s), mailto: or tel: URL or a path such as "/help"', (value) =>
  isLink(value, ['http:', 'https:', 'mailto:', 'tel:']),
);

// A script in the link would run in the page of the application.
function isLink(value: string, protocols: string[]): boolean {
  if (/^\/(?![/\\])\S*$/.test(value)) return true;
  return /^[a-z]+:\S+$/i.test(value) && URL.canParse(value) && protocols.includes(new URL(value).protocol);
}

export const languages: OptionType = {
  ...object,
  findInvalidMember: (value) => {
    for (const [tag, texts] of Object.entries(value as Record<string, unknown>)) {
      if (toLanguageTag(tag) === undefined)
        return { path: tag, expected: 'named by a language tag (BCP 47) such as "de" or "pt-BR"', found: tag };
      const expected = object.check(texts);
      if (expected !== undefined) return { path: tag, expected: 'an object of texts', found: texts };
      for (const [name, content] of Object.entries(texts as object) as [string, unknown][]) {
        const path = `${tag}.${name}`;
        if (!Object.hasOwn(ENGLISH, name))
          return { path, expected: `named as one of ${Object.keys(ENGLISH).join(', ')}`, found: name };
        const problem = text.check(content);
        if (problem !== undefined) return { path, expected: problem, found: content };
      }
    }
    return undefined;
  },
};
