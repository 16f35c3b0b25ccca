import type { MaintenanceMode } from '../core/maintenance-window.js';
import type { PageBranding } from './page-branding.js';
import type { PageLanguage } from './page-languages.js';
import { getPageTimes, type PageTimes } from './page-times.js';
import type { PageTexts } from './page-texts.js';

/** The members of a refusal that the page shows. */
export interface PageRefusal {
  message: string;
  /** The language of the message, if it is known not to be that of the page. */
  messageLanguage?: string;
  mode: MaintenanceMode;
  scope: string;
  startsAt: string | null;
  endsAt: string | null;
  retryAfter: number | null;
  statusCode: number;
}

/** The context of a template, and the argument of `response.render`, with the members that the application adds. */
export interface PageContext extends PageTimes, PageBranding {
  /** The language of the page (BCP 47), for `<html lang>`. */
  lang: string;
  /** The direction of the language. */
  dir: 'ltr' | 'rtl';
  /** The texts of the page in this language. */
  texts: PageTexts;
  /** The heading. */
  title: string;
  /** The message of the window, as plain text. */
  message: string;
  /** The language of the message, if it is known not to be that of the page. */
  messageLanguage: string | null;
  mode: MaintenanceMode;
  readOnly: boolean;
  scope: string;
  /** ISO 8601 in UTC; `null`: unknown. */
  startsAt: string | null;
  /** ISO 8601 in UTC; `null`: unknown. */
  endsAt: string | null;
  /** Seconds; `null`: unknown. */
  retryAfter: number | null;
  statusCode: number;
  [custom: string]: unknown;
}

/**
 * Creates the context of the page.
 *
 * @param refusal - the refusal, in the language of the reader
 * @param language - the language of the page
 * @param branding - the name, the logo, the color and the links
 * @param now - milliseconds since the epoch
 */
export function createPageContext(
  refusal: PageRefusal,
  { tag, direction, texts }: PageLanguage,
  branding: PageBranding,
  now: number,
): PageContext {
  const readOnly = refusal.mode === 'read-only';
  return {
    ...refusal,
    ...branding,
    lang: tag,
    dir: direction,
    texts,
    title: readOnly ? texts.readOnlyTitle : texts.title,
    messageLanguage: refusal.messageLanguage ?? null,
    readOnly,
    ...getPageTimes(refusal, tag, now),
  };
}
