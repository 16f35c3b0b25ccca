/** The texts of the maintenance page and of the problem document in one language. */
export interface PageTexts {
  /** The heading. */
  title: string;
  /** The message of a window without one. */
  message: string;
  /** The heading of a read-only window. */
  readOnlyTitle: string;
  /** The message of a read-only window without one. */
  readOnlyMessage: string;
  /** Explains on the page of a read-only window that the request was not saved. */
  readOnlyNote: string;
  /** The label of the end. */
  expectedEnd: string;
  /** The label of the countdown. */
  timeLeft: string;
  /** The countdown at its end. */
  anyMoment: string;
  /** Explains that the page opens the application again by itself. */
  returnsByItself: string;
  /** The link that loads the page again. */
  tryAgain: string;
  /** The same link during a read-only window. */
  continueReading: string;
  /** The link to `supportUrl`. */
  support: string;
  /** The link to `statusUrl`. */
  status: string;
  /** Announced when the end was changed. */
  endChanged: string;
  /** Announced when maintenance is over. */
  opening: string;
  /** Announced when a read-only window is over. */
  acceptedAgain: string;
  /** The title of the problem document with the status 503. */
  unavailable: string;
}

/** The texts that are part of the code: the others are loaded when a client first asks for them. */
export const ENGLISH: PageTexts = {
  title: 'Down for maintenance',
  message: 'The service is down for maintenance. Please try again later.',
  readOnlyTitle: 'Read-only for now',
  readOnlyMessage: 'The service is read-only during maintenance. Reading works, changes have to wait.',
  readOnlyNote:
    'You can continue reading. Only changes are refused for now: what you just sent was not saved, and your browser’s Back button returns you to it.',
  expectedEnd: 'Expected end',
  timeLeft: 'Time left',
  anyMoment: 'any moment now',
  returnsByItself: 'This page comes back by itself when the maintenance is over.',
  tryAgain: 'Try again',
  continueReading: 'Continue reading',
  support: 'Contact support',
  status: 'Service status',
  endChanged: 'The expected end has changed.',
  opening: 'Opening the page.',
  acceptedAgain: 'Changes should be accepted again by now.',
  unavailable: 'Service Unavailable',
};

/** The languages of the built-in texts (BCP 47). `page/languages/` has a file for each but English. */
export const BUILT_IN_LANGUAGES = [
  'en',
  'ar',
  'bn',
  'cs',
  'da',
  'de',
  'el',
  'es',
  'fa',
  'fi',
  'fr',
  'he',
  'hi',
  'hu',
  'id',
  'it',
  'ja',
  'ko',
  'nl',
  'no',
  'pl',
  'pt',
  'ro',
  'ru',
  'sv',
  'th',
  'tr',
  'uk',
  'vi',
  'zh-Hans',
  'zh-Hant',
] as const;

/** The tag of a built-in language. */
export type BuiltInLanguage = (typeof BUILT_IN_LANGUAGES)[number];
