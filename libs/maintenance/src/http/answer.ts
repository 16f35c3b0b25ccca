import type { ServerResponse } from 'node:http';
import onHeaders from 'on-headers';
import vary from 'vary';

/** What a refused request gets. */
export interface Answer {
  status: number;
  headers: Record<string, string>;
  body: Buffer;
  /** Whether it leaves with this status instead of that of refusals, and without `Retry-After`. */
  hasOwnStatus?: boolean;
}

/** Marks a response that leaves with a status of its own. */
const OWN_STATUS = Symbol('nestjs-maintenance:own-status');

/** Node's response, of HTTP/1 or of HTTP/2. */
export type RawResponse = Pick<
  ServerResponse,
  'setHeader' | 'removeHeader' | 'statusCode' | 'headersSent' | 'getHeader'
> & { [OWN_STATUS]?: boolean };

/**
 * Makes sure that a refused response leaves with the status and the headers of the refusal, whoever writes it: our responder, or
 * a filter of the application's own.
 */
export function sealRefused(response: RawResponse, status: number, retryAfter: number | null): void {
  if (response.headersSent) return;
  onHeaders(response as ServerResponse, () => {
    if (!response[OWN_STATUS]) {
      response.statusCode = status;
      if (retryAfter !== null) response.setHeader('Retry-After', String(retryAfter));
    }
    response.setHeader('Cache-Control', 'no-store');
    response.removeHeader('ETag');
    vary(response as ServerResponse, 'Accept');
  });
}

/** Lets an answer of ours through as it is, if it has a status of its own. */
export function noteStatus(response: RawResponse, answer: Answer): void {
  response[OWN_STATUS] = answer.hasOwnStatus ?? false;
}

/** Keeps what an exempt visitor sees out of shared caches, whatever the handler says. */
export function sealExempt(response: RawResponse): void {
  if (response.headersSent) return;
  onHeaders(response as ServerResponse, () => response.setHeader('Cache-Control', 'private, no-store'));
}
