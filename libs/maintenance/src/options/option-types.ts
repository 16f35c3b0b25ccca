import { normalizePath } from '../policy/request-path.js';
import { parseUrlList } from './parse-url-list.js';

/** The kind of value that an option takes. */
export interface OptionType {
  /** Returns what a value must be, such as "true or false"; `undefined` for a value that can be used. */
  check: (value: unknown) => string | undefined;
  /** The same for each item of a list. */
  checkItem?: (item: unknown) => string | undefined;
  /** Finds the first member of an object that can't be used; its path starts below the option. */
  findInvalidMember?: (value: unknown) => { path: string; expected: string; found: unknown } | undefined;
  /**
   * Parses the text of an environment variable.
   *
   * @throws TypeError whose message is what the text must be
   */
  parse?: (text: string) => unknown;
}

const BODYLESS_STATUS_CODES = [204, 205, 304];

export const text: OptionType = {
  check: (value) => {
    if (typeof value !== 'string') return 'a string';
    return value === '' ? 'a string that is not empty' : undefined;
  },
  parse: (value) => value,
};

export const flag: OptionType = {
  check: (value) => (typeof value === 'boolean' ? undefined : 'true or false'),
  parse: (value) => {
    if (/^(true|1|on)$/i.test(value)) return true;
    if (/^(false|0|off)$/i.test(value)) return false;
    throw new TypeError('true or false');
  },
};

export const callback: OptionType = {
  check: (value) => (typeof value === 'function' ? undefined : 'a function'),
};

export const object: OptionType = {
  check: (value) => (isObject(value) ? undefined : 'an object'),
};

/** The values of a group that may also be turned on or off as a whole. */
export function createSwitch(members: string): OptionType {
  const check: OptionType['check'] = (value) =>
    typeof value === 'boolean' || isObject(value) ? undefined : `true, false or an object with ${members}`;
  return { ...flag, check };
}

/** A whole number of `unit` that is at least `min`. */
export function createInteger(unit: string, min: number, minText: string): OptionType {
  const check: OptionType['check'] = (value) => {
    if (typeof value !== 'number' || Number.isNaN(value)) return `a number of ${unit}`;
    if (!Number.isSafeInteger(value)) return `a whole number of ${unit}`;
    return value < min ? minText : undefined;
  };
  return { check, parse: parseInteger };
}

export const duration = createInteger('milliseconds', 1, 'at least 1 ms');

export const statusCode: OptionType = {
  check: (value) => {
    if (typeof value !== 'number' || Number.isNaN(value)) return 'a status code';
    if (!Number.isInteger(value)) return 'a whole number';
    const hasBody = !BODYLESS_STATUS_CODES.includes(value);
    const isFinal = (value >= 200 && value < 300) || (value >= 400 && value < 600);
    return isFinal && hasBody ? undefined : 'a 2xx, 4xx or 5xx status that has a body';
  },
  parse: parseInteger,
};

/** One of some words. */
export function createChoice(...words: string[]): OptionType {
  const quoted = words.map((word) => `"${word}"`).join(', ');
  const check: OptionType['check'] = (value) => (words.includes(value as string) ? undefined : `one of ${quoted}`);
  return { ...text, check };
}

/** One of some words, or a function that chooses. */
export function createChoiceOrFunction(...words: string[]): OptionType {
  const quoted = words.map((word) => `"${word}"`).join(', ');
  const check: OptionType['check'] = (value) =>
    typeof value === 'function' || words.includes(value as string) ? undefined : `${quoted} or a function`;
  return { ...text, check };
}

/** Text that matches a pattern. */
export function createText(pattern: RegExp, expected: string): OptionType {
  const check: OptionType['check'] = (value) =>
    text.check(value) ?? (pattern.test(value as string) ? undefined : expected);
  return { ...text, check };
}

/** An array of `items`, each of which passes a check. */
export function createList(items: string, checkItem?: OptionType['check']): OptionType {
  return {
    check: (value) => (Array.isArray(value) ? undefined : `an array of ${items}`),
    ...(checkItem && { checkItem }),
    parse: (value) => value.split(',').flatMap((item) => item.trim() || []),
  };
}

export const urls: OptionType = {
  ...createList('paths', (item) => {
    if (typeof item === 'string') return text.check(item);
    return item instanceof RegExp ? undefined : 'a path or a RegExp';
  }),
  parse: parseUrlList,
};

export const storage: OptionType = {
  ...text,
  check: (value) => {
    if (typeof value === 'string') return text.check(value);
    const isStorage = isObject(value) && typeof value.read === 'function' && typeof value.write === 'function';
    return isStorage ? undefined : 'a StateStorage or the URL of one, such as "file:/var/lib/app/maintenance.json"';
  },
};

export const adminToken: OptionType = {
  ...text,
  check: (value) => {
    const expected = text.check(value);
    if (expected !== undefined) return expected;
    if ((value as string).length < 16) return 'at least 16 characters long';
    // The characters that a header can carry after "Bearer" (RFC 6750, section 2.1): no other token could ever match.
    const isVisible = /^[\x21-\x7e]+$/.test(value as string);
    return isVisible ? undefined : 'of visible ASCII characters, without spaces or a line break at the end';
  },
};

/** Checks an origin as browsers send it in `Origin`: no path, not even a slash. */
export const checkOrigin: OptionType['check'] = (value) => {
  const isOrigin = typeof value === 'string' && /^https?:\/\/[^/?#\\@*]+$/i.test(value) && URL.canParse(value);
  return isOrigin ? undefined : 'an origin such as "https://ops.example.com", without a path';
};

export const redirectUrl: OptionType = {
  ...text,
  check: (value) =>
    text.check(value) ??
    (isRedirectUrl(value as string) ? undefined : 'a path such as "/closed" or an absolute http(s) URL'),
};

// A path that is not in normal form would not be recognised when the redirected client requests it.
function isRedirectUrl(url: string): boolean {
  if (/[\s\\]|^\/\//.test(url)) return false;
  if (!url.startsWith('/')) return /^https?:\/\//i.test(url) && URL.canParse(url);
  return (
    URL.canParse(url, 'http://localhost') && normalizePath(new URL(url, 'http://localhost').pathname) !== undefined
  );
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null;
}

function parseInteger(value: string): number {
  if (/^\d+$/.test(value)) return Number(value);
  throw new TypeError('a whole number');
}
