import { STATUS_CODES } from 'node:http';
import type { Refusal } from '../policy/refusal.js';
import { ALL_SCOPES, type MaintenanceMode } from '../core/maintenance-window.js';
import { findMessage, type PageLanguage } from '../page/page-languages.js';
import { ENGLISH } from '../page/page-texts.js';

/** The language of a client. */
export interface ReaderLanguage {
  /** The tag that was negotiated: of a language of the page, or of a message. */
  readonly tag: string;
  /** The language of the page for this client. */
  readonly page: PageLanguage;
}

/** The `errorCode` of every refusal. */
export const ERROR_CODE = 'MAINTENANCE';

/** The JSON body of a refused request: a problem document (RFC 9457) that also has the members of Nest's own errors. */
export interface Problem {
  /** `about:blank`, as RFC 9457 has it for problems that the status describes. */
  type: string;
  /** The text of the status, in the client's language. */
  title: string;
  status: number;
  /** The message of the window, in the client's language. */
  detail: string;
  /** The same as `status`, as in Nest's own errors. */
  statusCode: number;
  /** The same as `detail`, as in Nest's own errors. */
  message: string;
  /** The text of the status in English, as in Nest's own errors. */
  error: string;
  /** The code of every refusal, which tells it from every other 503. */
  errorCode: typeof ERROR_CODE;
  /** Seconds; `null`: unknown. */
  retryAfter: number | null;
  /** ISO 8601 in UTC; `null`: unknown. */
  startsAt: string | null;
  /** ISO 8601 in UTC; `null`: unknown. */
  endsAt: string | null;
  /** The scope of the window; `*`: everything. */
  scope: string;
  mode: MaintenanceMode;
  [custom: string]: unknown;
}

const IN_ENGLISH: ReaderLanguage = { tag: 'en', page: { tag: 'en', direction: 'ltr', texts: ENGLISH } };

/**
 * Creates the problem document of a refusal. With the type `about:blank`, its title is that of the status, which may be
 * translated (RFC 9457, section 4.2.1).
 *
 * @param refusal - the refusal
 * @param status - the status of the response
 * @param language - the language of the client, for transports that know it
 */
export function createProblem(refusal: Refusal, status: number, language: ReaderLanguage = IN_ENGLISH): Problem {
  const { window, retryAfter } = refusal;
  const { text: message } = createMessage(refusal, language);
  const error = STATUS_CODES[status] ?? 'Service Unavailable';
  return {
    type: 'about:blank',
    title: status === 503 ? language.page.texts.unavailable : error,
    status,
    detail: message,
    statusCode: status,
    message,
    error,
    errorCode: ERROR_CODE,
    retryAfter,
    startsAt: window?.startsAt ?? null,
    endsAt: window?.endsAt ?? null,
    scope: window?.scope ?? ALL_SCOPES,
    mode: window?.mode ?? 'full',
  };
}

/**
 * Creates the message for a client: that of the window in the client's language, else the one without a language, else
 * the text of the page.
 *
 * @returns the message, and the tag of its language if the window gives one
 */
export function createMessage(
  { window }: Refusal,
  { tag, page: { texts } }: ReaderLanguage,
): { text: string; tag?: string } {
  const translated = findMessage(window?.messages, tag);
  if (translated) return translated;
  return { text: window?.message || (window?.mode === 'read-only' ? texts.readOnlyMessage : texts.message) };
}
