import type { ServerResponse } from 'node:http';
import { loadOnHeaders, loadVary } from '../packages.cjs';
import type { Refusal } from '../policy/refusal.js';
import { exposeHeaders } from './exposed-headers.js';
import { createRefusalHeaders } from './refusal-headers.js';

/** The headers by which answers differ: format and language. */
export const VARY = 'Accept, Accept-Language';

/** The answer to a refused request. */
export interface Answer {
  status: number;
  headers: Record<string, string>;
  body: Buffer;
  /** All headers of the response, those that the sender adds included, for a response without any other headers. */
  completeHeaders?: Readonly<Record<string, string>>;
  /** Whether the response keeps this status instead of that of refusals, and has no `Retry-After`. */
  hasOwnStatus?: boolean;
}

/** Marks a response that keeps a status of its own. */
const PRESERVED_STATUS = Symbol('nestjs-maintenance:own-status');
/** The key of the headers that a response must be sent with. */
const ENFORCED_HEADERS = Symbol('nestjs-maintenance:seal');

/** Node's response, of HTTP/1 or of HTTP/2. */
export type RawResponse = Pick<
  ServerResponse,
  'setHeader' | 'removeHeader' | 'statusCode' | 'headersSent' | 'getHeader'
> & { [PRESERVED_STATUS]?: boolean; [ENFORCED_HEADERS]?: EnforcedHeaders };

type EnforcedHeaders = 'exempt' | { status: number; refusal: Refusal; onSent?: OnRefusalSent };

/** Called with the status when a refusal is sent. */
export type OnRefusalSent = (status: number) => void;

/**
 * Ensures that a refused response is sent with the status and the headers of the refusal, even where a filter of the
 * application writes it.
 */
export function enforceRefusalHeaders(
  response: RawResponse,
  status: number,
  refusal: Refusal,
  onSent?: OnRefusalSent,
): void {
  enforceHeaders(response, { status, refusal, onSent });
}

/** Keeps the response to an exempt request out of shared caches. A response that is refused in part stays a refusal. */
export function enforcePrivateCaching(response: RawResponse): void {
  if (response[ENFORCED_HEADERS] === undefined) enforceHeaders(response, 'exempt');
}

// Many operations may share one response: each decision updates the headers, and the hook is installed once.
function enforceHeaders(response: RawResponse, enforced: EnforcedHeaders): void {
  const isNew = response[ENFORCED_HEADERS] === undefined;
  response[ENFORCED_HEADERS] = enforced;
  if (!isNew || response.headersSent) return;
  loadOnHeaders()(response as ServerResponse, () => {
    const last = response[ENFORCED_HEADERS];
    if (last === undefined || last === 'exempt') response.setHeader('Cache-Control', createPrivateCaching(response));
    else writeRefusalHeaders(response, last);
  });
}

// Event streams forbid that a compression holds their events back.
function createPrivateCaching(response: RawResponse): string {
  const isFixed = /\bno-transform\b/i.test(String(response.getHeader('Cache-Control')));
  return isFixed ? 'private, no-store, no-transform' : 'private, no-store';
}

function writeRefusalHeaders(
  response: RawResponse,
  { status, refusal, onSent }: Exclude<EnforcedHeaders, 'exempt'>,
): void {
  const { 'Retry-After': retryAfter, ...headers } = createRefusalHeaders(refusal);
  if (!response[PRESERVED_STATUS]) {
    response.statusCode = status;
    if (retryAfter !== undefined) response.setHeader('Retry-After', retryAfter);
  }
  for (const [name, value] of Object.entries(headers)) response.setHeader(name, value);
  response.removeHeader('ETag');
  loadVary()(response as ServerResponse, VARY);
  exposeHeaders(response);
  onSent?.(response.statusCode);
}

/**
 * Lets scripts of other origins read the headers of maintenance. CORS may set its own later, so they are extended when
 * they are sent.
 */
export function exposeHeadersWhenSent(response: RawResponse): void {
  loadOnHeaders()(response as ServerResponse, () => exposeHeaders(response));
}

/** Keeps the status of an answer that has its own, such as a redirect. */
export function preserveStatus(response: RawResponse, answer: Answer): void {
  response[PRESERVED_STATUS] = answer.hasOwnStatus ?? false;
}

/** Ends Node's response with an answer, unless the response was sent before. */
export function sendAnswer(response: ServerResponse, { status, headers, body }: Answer): void {
  if (response.headersSent) return;
  response.statusCode = status;
  for (const [name, value] of Object.entries(headers)) response.setHeader(name, value);
  response.setHeader('Content-Length', body.length);
  response.end(body);
}
