import { loadNegotiator } from '../packages.cjs';

/** How many characters of an `Accept-Language` header are read and cached. Browsers send far fewer. */
export const MAX_ACCEPT_LANGUAGE_LENGTH = 512;
/** How many languages of a header are looked up: each that is not on offer takes time. Browsers send about five. */
const MAX_RANGES = 10;

/** Languages on offer: their tags by the tags in lower case. */
export type OfferedLanguages = ReadonlyMap<string, string>;

/** Creates the languages on offer from their tags. */
export function createOffer(tags: Iterable<string>): OfferedLanguages {
  return new Map([...tags].map((tag) => [tag.toLowerCase(), tag]));
}

/**
 * Creates the languages on offer where a variant is better than none: a reader of any German gets `de-AT`, one of
 * `zh-Hant` gets `zh-TW`.
 */
export function createWideOffer(tags: Iterable<string>): OfferedLanguages {
  const offer = new Map(createOffer(tags));
  for (const tag of [...offer.values()]) {
    const locale = parseLocale(tag)?.maximize();
    const wide = locale && `${locale.language}-${locale.script}`.toLowerCase();
    if (wide !== undefined && !offer.has(wide)) offer.set(wide, tag);
  }
  return offer;
}

/** Returns the languages at the beginning of a long `Accept-Language` header, which are read and cached. */
export function shortenAcceptLanguage(acceptLanguage: string): string {
  if (acceptLanguage.length <= MAX_ACCEPT_LANGUAGE_LENGTH) return acceptLanguage;
  return acceptLanguage.slice(0, Math.max(acceptLanguage.lastIndexOf(',', MAX_ACCEPT_LANGUAGE_LENGTH), 0));
}

/**
 * Returns the language on offer that a client prefers (RFC 9110, section 12.5.4).
 *
 * @param acceptLanguage - the `Accept-Language` header, shortened by {@link shortenAcceptLanguage}
 * @param offered - the languages on offer
 * @returns the tag; `undefined` where the client knows none of them
 */
export function negotiateLanguage(acceptLanguage: string, offered: OfferedLanguages): string | undefined {
  const Negotiator = loadNegotiator();
  const ranges = new Negotiator({ headers: { 'accept-language': acceptLanguage } }).languages();
  for (const range of ranges.slice(0, MAX_RANGES)) {
    const found = lookUpLanguage(range, offered);
    if (found !== undefined) return found;
  }
  return undefined;
}

/**
 * Looks up one language (RFC 4647, section 3.4): the tag itself, then shorter and shorter beginnings of it. A Chinese
 * reader of Taiwan gets the traditional script before that: the likely script of a region is looked up too.
 *
 * @param range - a language of the client, such as `de-AT`
 * @param offered - the languages on offer
 */
export function lookUpLanguage(range: string, offered: OfferedLanguages): string | undefined {
  const exact = offered.get(range.toLowerCase());
  if (exact !== undefined || range === '*') return exact;
  const locale = parseLocale(range);
  if (!locale) return undefined;
  const { language, script } = locale.maximize();
  const subtags = locale.baseName.split('-');
  const candidates = [
    locale.baseName,
    `${language}-${script}`,
    ...subtags.map((_, index) => subtags.slice(0, subtags.length - index).join('-')),
    // Norwegian is asked for by the names of its two written forms.
    ...(language === 'nb' || language === 'nn' ? ['no'] : []),
  ];
  for (const candidate of candidates) {
    const found = offered.get(candidate.toLowerCase());
    if (found !== undefined) return found;
  }
  return undefined;
}

function parseLocale(tag: string): Intl.Locale | null {
  try {
    return new Intl.Locale(tag);
  } catch {
    return null;
  }
}
