import { stringifySetCookie } from 'cookie';
import { BYPASS_PARAMETER, createBypassCookie, findWindowByToken } from '../policy/bypass.js';
import { normalizePath, type PolicyRequest } from '../policy/request-path.js';
import type { Clock } from '../utils/clock.js';
import type { StoredWindow } from '../core/maintenance-window.js';
import type { Answer } from './answer.js';
import type { HttpRequest } from './http-request.interface.js';

const EMPTY_BODY = Buffer.alloc(0);

/**
 * Redeems the secret link: whoever opens it in a browser gets a cookie, and is sent on to the same URL without the token.
 *
 * @param cookieName - with the prefix `__Host-` or `__Secure-` the cookie is for HTTPS alone
 */
export class BypassLink {
  constructor(
    private readonly cookieName: string,
    private readonly clock: Clock,
    private readonly getActiveWindows: () => readonly StoredWindow[],
  ) {}

  /** Whether somebody may be opening the link. */
  isLinkRequest({ method, url }: PolicyRequest): boolean {
    return method === 'GET' && url.includes(BYPASS_PARAMETER);
  }

  /** The answer to who opens the link; `null` for every other request, a wrong token included. */
  redeem(request: HttpRequest): Answer | null {
    // Only somebody who opens the link: not a preview of it, nor a browser that guesses what will be opened next.
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
    const { value, maxAgeMs: holds } = createBypassCookie(window, this.clock.now());
    return stringifySetCookie({
      name: this.cookieName,
      value,
      path: '/',
      maxAge: Math.max(1, Math.floor(holds / 1000)),
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

// Below another application, Express cuts off the path at which this one is mounted.
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

/** The same URL on the same origin. What is no path in normal form might lead elsewhere. */
function removeToken(url: string): string {
  if (normalizePath(url) === undefined) return '/';
  const [path = '/'] = url.split('?', 1);
  const rest = parseQuery(url).filter((member) => getParameterName(member) !== BYPASS_PARAMETER);
  return rest.length > 0 ? `${path}?${rest.join('&')}` : path;
}
