import { createOffer, createWideOffer, lookUpLanguage, negotiateLanguage } from './language-lookup.js';
import { LANGUAGES } from './languages/index.js';
import { findMessage, PageLanguages } from './page-languages.js';
import { BUILT_IN_LANGUAGES, ENGLISH } from './page-texts.js';

const offer = createOffer(['en', 'de', 'de-AT', 'pt', 'zh-Hans', 'zh-Hant', 'sr', 'no']);

describe('lookUpLanguage', () => {
  // RFC 4647, section 3.4.
  it.each([
    ['de', 'de'],
    ['DE-at', 'de-AT'],
    ['de-CH-1996', 'de'],
    ['zh-Hant-HK', 'zh-Hant'],
    ['zh-MO', 'zh-Hant'],
    ['zh-SG', 'zh-Hans'],
    ['zh', 'zh-Hans'],
    ['sr-Latn-RS', 'sr'],
    ['nn-NO', 'no'],
    ['nb', 'no'],
    ['no', 'no'],
    ['d', undefined],
    ['deu', 'de'],
    ['dea', undefined],
    ['*', undefined],
    ['x-private', undefined],
    ['de_AT', undefined],
  ])('finds for %s the language %s', (range, found) => {
    expect(lookUpLanguage(range, offer)).toBe(found);
  });

  it('finds a variant of the same script in a wide offer only', () => {
    expect(lookUpLanguage('zh-Hant', createWideOffer(['zh-TW']))).toBe('zh-TW');
    expect(lookUpLanguage('zh-Hans', createWideOffer(['zh-TW']))).toBeUndefined();
    expect(lookUpLanguage('zh-Hant', createOffer(['zh-TW']))).toBeUndefined();
  });
});

describe('negotiateLanguage', () => {
  it.each([
    ['fr, de;q=0.2, pt;q=0.9', 'pt'],
    ['de;q=0, pt;q=0.1', 'pt'],
    ['de-AT;q=0.5, de;q=0.6', 'de'],
    ['*, de;q=0.1', 'de'],
    ['fr, *;q=0.1', undefined],
    [',;q=,', undefined],
  ])('finds for %s the language %s', (header, found) => {
    expect(negotiateLanguage(header, offer)).toBe(found);
  });

  it('looks up a limited number of languages', () => {
    const many = Array.from({ length: 30 }, (_, index) => `x${String.fromCharCode(97 + (index % 26))}`);
    expect(negotiateLanguage([...many, 'de'].join(), offer)).toBeUndefined();
    expect(negotiateLanguage([...many.slice(0, 9), 'de'].join(), offer)).toBe('de');
  });
});

describe('the built-in texts', () => {
  const all = { en: ENGLISH, ...LANGUAGES };

  it('are complete, and unlike those of other languages', () => {
    expect(Object.keys(all).sort()).toEqual([...BUILT_IN_LANGUAGES].sort());
    expect(BUILT_IN_LANGUAGES.length).toBeGreaterThanOrEqual(20);
    for (const texts of Object.values(all)) expect(Object.keys(texts)).toEqual(Object.keys(ENGLISH));
    const messages = Object.values(all).map(({ message }) => message);
    expect(new Set(messages).size).toBe(messages.length);
  });

  it.each(BUILT_IN_LANGUAGES)('in %s are written in the script of the language, without spaces around', (tag) => {
    const { script } = new Intl.Locale(tag).maximize();
    const name = { Jpan: 'Han}\\p{sc=Hira}\\p{sc=Kana', Kore: 'Hang', Hans: 'Han', Hant: 'Han' }[script!] ?? script;
    const ownLetter = new RegExp(`[\\p{sc=${name}}]`, 'u');
    const foreignLetter = new RegExp(`[^\\p{sc=${name}}\\p{sc=Common}\\p{sc=Inherited}\\p{M}]`, 'u');
    for (const text of Object.values(all[tag]) as string[]) {
      expect(text).toMatch(ownLetter);
      expect(text).not.toMatch(foreignLetter);
      expect(text).toBe(text.trim().normalize('NFC'));
    }
  });

  it.each(BUILT_IN_LANGUAGES)('in %s leave dates, numbers and plurals to Intl', (tag) => {
    expect(Intl.DateTimeFormat.supportedLocalesOf(tag)).toEqual([tag]);
    expect(Intl.NumberFormat.supportedLocalesOf(tag)).toEqual([tag]);
    expect(Object.values(all[tag]).join()).not.toMatch(/\d/);
  });
});

describe('PageLanguages', () => {
  it('has the languages of right-to-left scripts from right to left', async () => {
    const languages = new PageLanguages({ ur: {}, ps: {}, yi: {} });
    const directions = await Promise.all(
      languages.tags.map(async (tag) => [tag, (await languages.load(tag)).direction]),
    );
    const rightToLeft = directions.filter(([, direction]) => direction === 'rtl').map(([tag]) => tag);
    expect(rightToLeft.sort()).toEqual(['ar', 'fa', 'he', 'ps', 'ur', 'yi']);
  });

  it('loads no texts for English', () => {
    const languages = new PageLanguages();
    expect(languages.find('en')?.texts).toEqual(ENGLISH);
    expect(languages.find('en-GB')?.texts).toEqual(ENGLISH);
    expect(languages.find('de')).toBeNull();
    expect(languages.getFallback().texts).toEqual(ENGLISH);
  });

  it('returns the same language for the same header and messages', () => {
    const languages = new PageLanguages();
    expect(languages.negotiate('sw, de;q=0.5', undefined)).toBe('de');
    expect(languages.negotiate('sw, de;q=0.5', { sw: 'Tunarudi' })).toBe('sw');
    expect(languages.negotiate('sw, de;q=0.5', { de: 'Gleich' })).toBe('de');
    expect(languages.negotiate('sw, de;q=0.5', undefined)).toBe('de');
  });

  it('finds the languages of the messages of several windows in turn', () => {
    const languages = new PageLanguages();
    for (const quality of ['0.1', '0.2']) {
      const header = `sw, eo, de;q=${quality}`;
      expect(languages.negotiate(header, { sw: 'Tunarudi' })).toBe('sw');
      expect(languages.negotiate(header, { eo: 'Baldau' })).toBe('eo');
    }
  });
});

describe('findMessage', () => {
  it.each([
    ['de-CH', { text: 'Gleich', tag: 'de' }],
    ['zh-Hant', { text: '馬上', tag: 'zh-TW' }],
    ['fr', null],
    ['en', null],
  ])('finds for %s %j', (tag, found) => {
    expect(findMessage({ de: 'Gleich', 'zh-TW': '馬上' }, tag)).toEqual(found);
  });
});
