import type { ServerResponse } from 'node:http';
import onHeaders from 'on-headers';
import vary from 'vary';

/** What a refused request gets. */
export interface Answer {
  status: number;
  headers: Record<string, string>;
  body: Buffer;
  /** Everything that `headers` and the sender add up to, where the response has no headers of anybody else's. */
  allHeaders?: Readonly<Record<string, string>>;
  /** Whether it leaves with this status instead of that of refusals, and without `Retry-After`. */
  hasOwnStatus?: boolean;
}

/** Marks a response that leaves with a status of its own. */
const OWN_STATUS = Symbol('nestjs-maintenance:own-status');
/** How a response has to leave. */
const SEAL = Symbol('nestjs-maintenance:seal');

/** Node's response, of HTTP/1 or of HTTP/2. */
export type RawResponse = Pick<
  ServerResponse,
  'setHeader' | 'removeHeader' | 'statusCode' | 'headersSent' | 'getHeader'
> & { [OWN_STATUS]?: boolean; [SEAL]?: Seal };

type Seal = 'exempt' | { status: number; retryAfter: number | null };

/**
 * Makes sure that a refused response leaves with the status and the headers of the refusal, whoever writes it: our responder, or
 * a filter of the application's own.
 */
export function sealRefused(response: RawResponse, status: number, retryAfter: number | null): void {
  seal(response, { status, retryAfter });
}

/** Keeps what an exempt visitor sees out of shared caches, whatever the handler says. A part that is refused counts for the whole. */
export function sealExempt(response: RawResponse): void {
  if (response[SEAL] === undefined) seal(response, 'exempt');
}

// Many operations may share one response: it is sealed as often as it is decided about, and hooked into once.
function seal(response: RawResponse, how: Seal): void {
  const isNew = response[SEAL] === undefined;
  response[SEAL] = how;
  if (!isNew || response.headersSent) return;
  onHeaders(response as ServerResponse, () => {
    const last = response[SEAL];
    if (last === undefined || last === 'exempt') response.setHeader('Cache-Control', 'private, no-store');
    else writeRefusal(response, last);
  });
}

function writeRefusal(response: RawResponse, { status, retryAfter }: Exclude<Seal, 'exempt'>): void {
  if (!response[OWN_STATUS]) {
    response.statusCode = status;
    if (retryAfter !== null) response.setHeader('Retry-After', String(retryAfter));
  }
  response.setHeader('Cache-Control', 'no-store');
  response.removeHeader('ETag');
  vary(response as ServerResponse, 'Accept');
}

/** Lets an answer of ours through as it is, if it has a status of its own. */
export function noteStatus(response: RawResponse, answer: Answer): void {
  response[OWN_STATUS] = answer.hasOwnStatus ?? false;
}
