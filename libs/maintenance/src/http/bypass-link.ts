import { loadCookie } from '../packages.cjs';
import { BYPASS_PARAMETER, createBypassCookie, findWindowByToken } from '../policy/bypass.js';
import { normalizePath, type PolicyRequest } from '../policy/request-path.js';
import type { Clock } from '../utils/clock.js';
import type { StoredWindow } from '../core/maintenance-window.js';
import type { Answer } from './answer.js';
import type { HttpRequest } from './http-request.interface.js';

const EMPTY_BODY = Buffer.alloc(0);

/**
 * Redeems the bypass link: a browser that opens it gets the bypass cookie and a redirect to the same URL without the
 * token.
 *
 * @param cookieName - with the prefix `__Host-` or `__Secure-`, browsers accept the cookie over HTTPS only
 */
export class BypassLink {
  constructor(
    private readonly cookieName: string,
    private readonly clock: Clock,
    private readonly getActiveWindows: () => readonly StoredWindow[],
  ) {}

  /** Whether a request may be that of a bypass link. */
  isLinkRequest({ method, url }: PolicyRequest): boolean {
    return method === 'GET' && url.includes(BYPASS_PARAMETER);
  }

  /** Creates the answer to a bypass link; `null` for every other request, one with a wrong token included. */
  redeem(request: HttpRequest): Answer | null {
    // Neither the preview of a chat program nor the prefetch of a browser may redeem the link.
    if (!this.isLinkRequest(request) || isPrefetch(request)) return null;
    const url = getOriginalUrl(request);
    const tokens = parseQuery(url).filter((member) => getParameterName(member) === BYPASS_PARAMETER);
    if (tokens.length !== 1) return null;
    const window = findWindowByToken(tokens[0]!.slice(BYPASS_PARAMETER.length + 1), this.getActiveWindows());
    if (!window) return null;
    return {
      status: 303,
      headers: {
        Location: removeToken(url),
        'Set-Cookie': this.#createCookieHeader(window),
        'Cache-Control': 'no-store',
        'Referrer-Policy': 'no-referrer',
      },
      body: EMPTY_BODY,
    };
  }

  #createCookieHeader(window: StoredWindow): string {
    const { value, maxAgeMs } = createBypassCookie(window, this.clock.now());
    return loadCookie().stringifySetCookie({
      name: this.cookieName,
      value,
      path: '/',
      maxAge: Math.max(1, Math.floor(maxAgeMs / 1000)),
      secure: /^__(?:Host|Secure)-/.test(this.cookieName),
      httpOnly: true,
      sameSite: 'lax',
    });
  }
}

function isPrefetch({ headers }: HttpRequest): boolean {
  return ['sec-purpose', 'purpose', 'x-purpose', 'x-moz'].some((name) =>
    /prefetch|prerender|preview/i.test(String(headers[name] ?? '')),
  );
}

// In a mounted application, Express cuts the path of the mount off the URL.
function getOriginalUrl(request: PolicyRequest & { originalUrl?: string }): string {
  return request.originalUrl ?? request.url;
}

function parseQuery(url: string): string[] {
  const start = url.indexOf('?');
  return start === -1 ? [] : url.slice(start + 1).split('&');
}

function getParameterName(member: string): string {
  return member.split('=', 1)[0]!;
}

/** Returns the same URL on the same origin. A path that is not in normal form might lead to another host. */
function removeToken(url: string): string {
  if (normalizePath(url) === undefined) return '/';
  const [path = '/'] = url.split('?', 1);
  const others = parseQuery(url).filter((member) => getParameterName(member) !== BYPASS_PARAMETER);
  return others.length > 0 ? `${path}?${others.join('&')}` : path;
}
