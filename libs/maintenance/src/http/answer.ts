import type { ServerResponse } from 'node:http';
import onHeaders from 'on-headers';
import vary from 'vary';

/** What a refused request gets. */
export interface Answer {
  status: number;
  headers: Record<string, string>;
  body: Buffer;
  /** Everything that `headers` and the sender add up to, where the response has no headers of anybody else's. */
  completeHeaders?: Readonly<Record<string, string>>;
  /** Whether it leaves with this status instead of that of refusals, and without `Retry-After`. */
  hasOwnStatus?: boolean;
}

/** Marks a response that leaves with a status of its own. */
const PRESERVED_STATUS = Symbol('nestjs-maintenance:own-status');
/** How a response has to leave. */
const ENFORCED_HEADERS = Symbol('nestjs-maintenance:seal');

/** Node's response, of HTTP/1 or of HTTP/2. */
export type RawResponse = Pick<
  ServerResponse,
  'setHeader' | 'removeHeader' | 'statusCode' | 'headersSent' | 'getHeader'
> & { [PRESERVED_STATUS]?: boolean; [ENFORCED_HEADERS]?: EnforcedHeaders };

type EnforcedHeaders = 'exempt' | { status: number; retryAfter: number | null };

/**
 * Makes sure that a refused response leaves with the status and the headers of the refusal, whoever writes it: our responder, or
 * a filter of the application's own.
 */
export function enforceRefusalHeaders(response: RawResponse, status: number, retryAfter: number | null): void {
  enforceHeaders(response, { status, retryAfter });
}

/** Keeps what an exempt visitor sees out of shared caches, whatever the handler says. A part that is refused counts for the whole. */
export function enforcePrivateCaching(response: RawResponse): void {
  if (response[ENFORCED_HEADERS] === undefined) enforceHeaders(response, 'exempt');
}

// Many operations may share one response: it is sealed as often as it is decided about, and hooked into once.
function enforceHeaders(response: RawResponse, how: EnforcedHeaders): void {
  const isNew = response[ENFORCED_HEADERS] === undefined;
  response[ENFORCED_HEADERS] = how;
  if (!isNew || response.headersSent) return;
  onHeaders(response as ServerResponse, () => {
    const last = response[ENFORCED_HEADERS];
    if (last === undefined || last === 'exempt') response.setHeader('Cache-Control', 'private, no-store');
    else writeRefusalHeaders(response, last);
  });
}

function writeRefusalHeaders(response: RawResponse, { status, retryAfter }: Exclude<EnforcedHeaders, 'exempt'>): void {
  if (!response[PRESERVED_STATUS]) {
    response.statusCode = status;
    if (retryAfter !== null) response.setHeader('Retry-After', String(retryAfter));
  }
  response.setHeader('Cache-Control', 'no-store');
  response.removeHeader('ETag');
  vary(response as ServerResponse, 'Accept');
}

/** Lets an answer of ours through as it is, if it has a status of its own. */
export function preserveStatus(response: RawResponse, answer: Answer): void {
  response[PRESERVED_STATUS] = answer.hasOwnStatus ?? false;
}
