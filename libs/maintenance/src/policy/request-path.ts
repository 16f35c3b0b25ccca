/** The part of an HTTP request that the policy reads. Requests of Express and of Fastify have it. */
export interface PolicyRequest {
  readonly method: string;
  /** The request target as the router gets it, with the query. */
  readonly url: string;
  /** The client's address by the adapter's trust-proxy setting. */
  readonly ip?: string;
  readonly headers?: Readonly<Record<string, string | string[] | undefined>>;
}

/** Matches the origin of an absolute-form target (RFC 9112, section 3.2.2), as far as all routers read it alike. */
const ORIGIN_PATTERN = /^https?:\/\/[\w.:[\]-]+(?=\/)/;
const DOT_SEGMENT_PATTERN = /(?:^|\/)\.{1,2}(?:\/|$)/;
const FORBIDDEN_PATTERN = /\/\/|[\\;#]|[^\x21-\x7e]/;
/** Matches encoded controls, unreserved characters (RFC 3986, section 2.3), slashes, backslashes and semicolons. */
const FORBIDDEN_ENCODED_PATTERN =
  /%(?:[01][0-9a-f]|7f|2d|2e|3[0-9]|4[1-9a-f]|5[0-9a]|5f|6[1-9a-f]|7[0-9a]|7e|2f|5c|3b)/i;

/**
 * Returns the path of a request, decoded as far as that is unambiguous and without one trailing slash.
 *
 * @returns `undefined` for a path that is not in normal form (RFC 3986, section 6.2.2), since routers, proxies and file
 *   systems may read it in different ways: dot segments, `//`, `\`, `;`, encoded unreserved characters, encoded
 *   slashes. Also for a target in absolute form, which clients send to proxies only.
 */
export function normalizePath(url: string): string | undefined {
  const query = url.indexOf('?');
  const path = query === -1 ? url : url.slice(0, query);
  if (path.charCodeAt(0) !== 47 || FORBIDDEN_PATTERN.test(path) || DOT_SEGMENT_PATTERN.test(path)) return undefined;
  const withoutSlash = path.length > 1 && path.endsWith('/') ? path.slice(0, -1) : path;
  if (!withoutSlash.includes('%')) return withoutSlash;
  if (FORBIDDEN_ENCODED_PATTERN.test(withoutSlash)) return undefined;
  try {
    return decodeURI(withoutSlash);
  } catch {
    return undefined;
  }
}

/** Returns the path and the query of a request target, which may be in absolute form. */
export function stripOrigin(url: string): string {
  return url.charCodeAt(0) === 47 ? url : url.replace(ORIGIN_PATTERN, '');
}

/** Returns a request target without its query. */
export function getPath(url: string): string {
  const end = url.search(/[?#]/);
  return end === -1 ? url : url.slice(0, end);
}
