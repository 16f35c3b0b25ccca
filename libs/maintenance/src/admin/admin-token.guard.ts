import { createHash, timingSafeEqual } from 'node:crypto';
import {
  ForbiddenException,
  Inject,
  Injectable,
  Optional,
  UnauthorizedException,
  type CanActivate,
  type ExecutionContext,
  type HttpException,
} from '@nestjs/common';
import { HttpIntegration } from '../http/http-integration.js';
import type { ResolvedOptions } from '../options/resolved-options.js';
import { ADMIN_PANEL, OPEN_METADATA, RESOLVED_OPTIONS } from '../maintenance.constants.js';
import { Clock } from '../utils/clock.js';
import { setCaller, type AdminCaller } from './admin-caller.js';
import type { Panel } from './panel/panel.js';
import type { SessionRequest } from './panel/session-cookie.js';
import { isSafeMethod, SameOriginGuard, type BrowserRequest } from './same-origin.guard.js';
import { createTooManyTriesError } from './too-many-tries.js';
import { TryLimiter } from './try-limiter.js';

type RequestWithToken = BrowserRequest & SessionRequest & { ip?: string };

/**
 * Admits requests with the `adminToken`, or all requests if it is not set; reads with the `viewerToken` too. The token
 * is a bearer token (RFC 6750, section 2.1), or the value of `Maintenance-Token`. If that header is present,
 * `Authorization` is ignored: it may be the token of another guard. A browser sends the cookie of its session instead.
 */
@Injectable()
export class AdminTokenGuard implements CanActivate {
  readonly #tokens: { hash: Buffer; access: AdminCaller['access'] }[] = [];
  readonly #limiter: TryLimiter;

  constructor(
    @Inject(RESOLVED_OPTIONS) { adminToken, viewerToken }: ResolvedOptions,
    @Inject(HttpIntegration) private readonly httpIntegration: HttpIntegration,
    @Inject(SameOriginGuard) private readonly sameOrigin: SameOriginGuard,
    @Inject(Clock) clock: Clock,
    @Optional() @Inject(ADMIN_PANEL) private readonly panel?: Panel,
  ) {
    this.#limiter = new TryLimiter(clock);
    if (adminToken !== undefined) this.#tokens.push({ hash: hashToken(adminToken), access: 'change' });
    if (viewerToken !== undefined) this.#tokens.push({ hash: hashToken(viewerToken), access: 'view' });
  }

  async canActivate(context: ExecutionContext): Promise<boolean> {
    if (this.#tokens.length === 0) return true;
    const rules = Reflect.getMetadata(OPEN_METADATA, context.getHandler()) as OpenTo | undefined;
    if (rules === 'everyone') return true;
    const http = context.switchToHttp();
    const request = http.getRequest<RequestWithToken>();
    const token = readToken(request);
    const caller = this.#findByToken(token) ?? (await this.#findBySession(request));
    if (!caller) throw this.#createRejection(token, request.ip, http.getResponse());
    if (caller.access === 'view' && !isSafeMethod(request.method) && rules !== 'viewers')
      throw new ForbiddenException(
        'The viewer token may only look; nothing was changed. Use the admin token to turn maintenance on or off.',
      );
    setCaller(request, caller);
    return true;
  }

  // All tokens are compared, in constant time. The right one is admitted however many wrong ones came before it: other
  // clients behind the same proxy may have sent those, and the operator has to get in.
  #findByToken(token: string | undefined): AdminCaller | null {
    if (token === undefined) return null;
    const hash = hashToken(token);
    const found = this.#tokens.filter((known) => timingSafeEqual(hash, known.hash));
    return found[0] ? { access: found[0].access, session: null } : null;
  }

  async #findBySession(request: RequestWithToken): Promise<AdminCaller | null> {
    if (!this.panel || this.sameOrigin.findForeignOrigin(request) !== undefined) return null;
    const session = await this.panel.sessions.find(request);
    return session && { access: session.access, session };
  }

  #createRejection(token: string | undefined, ip: string | undefined, response: object): HttpException {
    const raw = this.httpIntegration.getRawResponse(response);
    if (token !== undefined) {
      const wait = this.#limiter.getWaitSeconds(ip);
      this.#limiter.recordFailure(ip);
      if (wait > 0) {
        raw.setHeader('Retry-After', String(wait));
        return createTooManyTriesError(wait);
      }
    }
    const challengeError = token === undefined ? '' : ', error="invalid_token"';
    raw.setHeader('WWW-Authenticate', `Bearer realm="maintenance"${challengeError}`);
    return new UnauthorizedException(
      token === undefined
        ? 'Send the admin token as "Maintenance-Token: <token>" or "Authorization: Bearer <token>".'
        : 'Invalid admin token. If `Maintenance-Token` is sent, `Authorization: Bearer` is ignored.',
    );
  }
}

/** The callers whom an endpoint admits besides those with the admin token. */
export type OpenTo = 'everyone' | 'viewers';

function readToken({ headers }: RequestWithToken): string | undefined {
  // Proxies may leave an empty header where they remove a value.
  return headers['maintenance-token'] || /^bearer +(\S+) *$/i.exec(headers.authorization ?? '')?.[1];
}

// timingSafeEqual needs buffers of equal length.
function hashToken(token: string): Buffer {
  return createHash('sha256').update(token).digest();
}
