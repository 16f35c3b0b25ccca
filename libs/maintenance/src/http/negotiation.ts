import Negotiator from 'negotiator';
import type { ResponseFormat } from '../options/maintenance-options.js';

/** JSON comes first: who does not care, such as a command-line client, gets the answer for programs. */
const OFFERED = ['application/problem+json', 'application/json', 'text/html', 'application/xhtml+xml'];

/**
 * The format that a client prefers (RFC 9110, section 12.5.1).
 *
 * @param accept - the `Accept` header
 * @returns `'html'` where the page has the highest quality, `'json'` otherwise and where nothing on offer is acceptable
 */
export function preferredFormat(accept: string | undefined): ResponseFormat {
  if (!accept) return 'json';
  const [preferred] = new Negotiator({ headers: { accept } }).mediaTypes(OFFERED);
  return preferred === 'text/html' || preferred === 'application/xhtml+xml' ? 'html' : 'json';
}
