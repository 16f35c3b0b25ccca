// The `Accept` headers of a program and of a browser, and the languages of readers.
export const JSON_ACCEPT = 'application/json';
export const HTML_ACCEPT = 'text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8';

const LANGUAGES = [
  ...['en', 'de', 'fr', 'es', 'pt', 'it', 'nl', 'pl', 'cs', 'ru'],
  ...['uk', 'tr', 'ar', 'he', 'hi', 'id', 'vi', 'ja', 'ko', 'zh'],
];

/** The `Accept-Language` headers of readers of 20 languages. */
export const ACCEPT_LANGUAGES = LANGUAGES.map((language) => `${language},en;q=0.5`);
