import { loadNegotiator } from '../packages.cjs';
import type { ResponseFormat } from '../options/maintenance-options.js';

/** JSON comes first: a client without a preference, such as curl, gets the answer for programs. */
const OFFERED_MEDIA_TYPES = ['application/problem+json', 'application/json', 'text/html', 'application/xhtml+xml'];

/**
 * The media types of GraphQL clients (GraphQL over HTTP, section 4.2); JSON comes first, for clients without a
 * preference.
 */
const OFFERED_GRAPHQL_MEDIA_TYPES = ['application/json', 'application/graphql-response+json'];

/** How many characters of an `Accept` header are read and cached. Browsers send far fewer, and each costs time. */
export const MAX_ACCEPT_LENGTH = 512;

/**
 * Returns the format that a client prefers (RFC 9110, section 12.5.1).
 *
 * @param accept - the `Accept` header
 * @returns `'html'` where the page has the highest quality, `'json'` otherwise and where nothing on offer is acceptable
 */
export function negotiateFormat(accept: string | undefined): ResponseFormat {
  if (!accept) return 'json';
  const [preferred] = negotiateMediaTypes(accept, OFFERED_MEDIA_TYPES);
  return preferred === 'text/html' || preferred === 'application/xhtml+xml' ? 'html' : 'json';
}

/**
 * Returns the media type of an answer to a client of GraphQL.
 *
 * @param accept - the `Accept` header
 */
export function negotiateGraphqlType(accept: string | undefined): string {
  const [preferred] = accept ? negotiateMediaTypes(accept, OFFERED_GRAPHQL_MEDIA_TYPES) : [];
  return preferred ?? 'application/json';
}

/** Returns the acceptable media types, the preferred first. Reads a long header up to its last complete element. */
function negotiateMediaTypes(accept: string, offered: string[]): string[] {
  const end =
    accept.length > MAX_ACCEPT_LENGTH ? Math.max(accept.lastIndexOf(',', MAX_ACCEPT_LENGTH), 0) : accept.length;
  const Negotiator = loadNegotiator();
  return new Negotiator({ headers: { accept: accept.slice(0, end) || '*/*' } }).mediaTypes(offered);
}
