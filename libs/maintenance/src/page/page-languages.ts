import { toLanguageTag } from '../utils/language-tag.js';
import { memoize } from '../utils/memoize.js';
import {
  createOffer,
  createWideOffer,
  lookUpLanguage,
  MAX_ACCEPT_LANGUAGE_LENGTH,
  negotiateLanguage,
  shortenAcceptLanguage,
  type OfferedLanguages,
} from './language-lookup.js';
import { BUILT_IN_LANGUAGES, ENGLISH, type BuiltInLanguage, type PageTexts } from './page-texts.js';

/** A language in which the page can be shown. */
export interface PageLanguage {
  /** Its tag (BCP 47). */
  readonly tag: string;
  readonly direction: 'ltr' | 'rtl';
  readonly texts: PageTexts;
}

type BuiltInTexts = Readonly<Partial<Record<BuiltInLanguage, PageTexts>>>;
/** Texts of the application, by the tag of their language. */
export type CustomLanguages = Readonly<Record<string, Partial<PageTexts>>>;

const RIGHT_TO_LEFT_SCRIPTS = new Set(['Adlm', 'Arab', 'Hebr', 'Nkoo', 'Rohg', 'Syrc', 'Thaa']);
/** The languages that windows add are few; the cache is emptied before it grows without bound. */
const MAX_CACHED_LANGUAGES = 500;

/** The languages of the page: the built-in ones with the texts that the application adds or overrides. */
export class PageLanguages {
  /** The tags of all languages. */
  readonly tags: readonly string[];
  /** The language of readers who know none of the others: the first of the application's own, else English. */
  readonly defaultTag: string;
  readonly #custom: ReadonlyMap<string, Partial<PageTexts>>;
  readonly #offered: OfferedLanguages;
  readonly #negotiated = memoize((text: string) => this.#negotiate(text), 2 * MAX_ACCEPT_LANGUAGE_LENGTH);
  readonly #languages = new Map<string, PageLanguage>();
  #further: { tags: string; offered: OfferedLanguages } | undefined;
  #builtIn: BuiltInTexts = { en: ENGLISH };

  /** @param custom - the option `response.page.languages` */
  constructor(custom: CustomLanguages = {}) {
    const entries = Object.entries(custom).map(([tag, texts]) => [toLanguageTag(tag)!, texts] as const);
    this.#custom = new Map(entries);
    this.defaultTag = entries[0]?.[0] ?? 'en';
    this.tags = [...new Set([...BUILT_IN_LANGUAGES, ...this.#custom.keys()])];
    this.#offered = createOffer(this.tags);
  }

  /**
   * Returns the language for a reader.
   *
   * @param acceptLanguage - the `Accept-Language` header
   * @param messages - the messages of the window by language, which may be in further languages
   * @returns the tag of a language of the page or of a message
   */
  negotiate(acceptLanguage: string, messages: Readonly<Record<string, string>> | undefined): string {
    const header = shortenAcceptLanguage(acceptLanguage);
    if (!messages) return this.#negotiated(header);
    const further = Object.keys(messages).filter((tag) => !this.#offered.has(tag.toLowerCase()));
    return this.#negotiated(further.length === 0 ? header : `${header}\n${further.join()}`);
  }

  /**
   * Finds a language.
   *
   * @param tag - of {@link negotiate}
   * @returns the default language where the page has no texts for the tag; `null` where {@link load} must load them
   */
  find(tag: string): PageLanguage | null {
    const known = this.#languages.get(tag);
    if (known) return known;
    const custom = lookUpLanguage(tag, createOffer(this.#custom.keys()));
    const builtIn = lookUpLanguage(tag, BUILT_IN_OFFER) as BuiltInLanguage | undefined;
    if (custom === undefined && builtIn === undefined) return this.find(this.defaultTag);
    const texts = this.#builtIn[builtIn ?? 'en'];
    if (!texts) return null;
    const language = {
      tag,
      direction: getDirection(tag),
      texts: { ...texts, ...(custom !== undefined && this.#custom.get(custom)) },
    };
    if (this.#languages.size >= MAX_CACHED_LANGUAGES) this.#languages.clear();
    this.#languages.set(tag, language);
    return language;
  }

  /**
   * Loads the texts of a language.
   *
   * @throws Error where the file with the texts can't be loaded, such as while the application is being replaced
   */
  async load(tag: string): Promise<PageLanguage> {
    const found = this.find(tag);
    if (found) return found;
    const { LANGUAGES } = await import('./languages/index.js');
    this.#builtIn = { en: ENGLISH, ...LANGUAGES };
    return this.find(tag)!;
  }

  /** Returns the language that needs no loading, for where {@link load} fails. */
  getFallback(): PageLanguage {
    return this.find(this.defaultTag) ?? this.find('en')!;
  }

  #negotiate(text: string): string {
    const [acceptLanguage = '', further] = text.split('\n');
    const offered = further === undefined ? this.#offered : this.#offerFurther(further);
    return negotiateLanguage(acceptLanguage, offered) ?? this.defaultTag;
  }

  // Kept for the present window: it takes far longer to create than the look-up in it.
  #offerFurther(tags: string): OfferedLanguages {
    if (this.#further?.tags !== tags) {
      this.#further = { tags, offered: createWideOffer([...this.tags, ...tags.split(',')]) };
    }
    return this.#further.offered;
  }
}

/**
 * Finds the message of a window for a reader.
 *
 * @param messages - the messages by language
 * @param tag - the language of the reader
 * @returns the message, with the tag of its language; `null` where there is none in this language
 */
export function findMessage(
  messages: Readonly<Record<string, string>> | undefined,
  tag: string,
): { text: string; tag: string } | null {
  if (!messages) return null;
  const found = lookUpLanguage(tag, createWideOffer(Object.keys(messages)));
  const text = found === undefined ? undefined : messages[found];
  return found !== undefined && text ? { text, tag: found } : null;
}

const BUILT_IN_OFFER = createOffer(BUILT_IN_LANGUAGES);

function getDirection(tag: string): PageLanguage['direction'] {
  const { script } = new Intl.Locale(tag).maximize();
  return script !== undefined && RIGHT_TO_LEFT_SCRIPTS.has(script) ? 'rtl' : 'ltr';
}
