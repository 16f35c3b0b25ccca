import Negotiator from 'negotiator';
import type { ResponseFormat } from '../options/maintenance-options.js';

/** JSON comes first: who does not care, such as a command-line client, gets the answer for programs. */
const OFFERED_MEDIA_TYPES = ['application/problem+json', 'application/json', 'text/html', 'application/xhtml+xml'];

/** What clients of GraphQL understand (GraphQL over HTTP, section 4.2); without a preference it is JSON. */
const OFFERED_GRAPHQL_MEDIA_TYPES = ['application/json', 'application/graphql-response+json'];

/** The most characters of an `Accept` header that are read: no browser sends as many, and each costs time. */
const MAX_ACCEPT_LENGTH = 512;

/**
 * The format that a client prefers (RFC 9110, section 12.5.1).
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
 * The media type of an answer to a client of GraphQL.
 *
 * @param accept - the `Accept` header
 */
export function negotiateGraphqlType(accept: string | undefined): string {
  const [preferred] = accept ? negotiateMediaTypes(accept, OFFERED_GRAPHQL_MEDIA_TYPES) : [];
  return preferred ?? 'application/json';
}

/** What is acceptable, the best first. Of a header that is too long the beginning counts, up to a whole element. */
function negotiateMediaTypes(accept: string, offered: string[]): string[] {
  const end =
    accept.length > MAX_ACCEPT_LENGTH ? Math.max(accept.lastIndexOf(',', MAX_ACCEPT_LENGTH), 0) : accept.length;
  return new Negotiator({ headers: { accept: accept.slice(0, end) || '*/*' } }).mediaTypes(offered);
}
