import { createHash, timingSafeEqual } from 'node:crypto';
import { Inject, Injectable, UnauthorizedException, type CanActivate, type ExecutionContext } from '@nestjs/common';
import { HttpIntegration } from '../http/http-integration.js';
import type { ResolvedOptions } from '../options/resolved-options.js';
import { RESOLVED_OPTIONS } from '../maintenance.constants.js';

interface RequestWithToken {
  headers: { authorization?: string; 'maintenance-token'?: string };
}

/**
 * Admits requests with the `adminToken`, or all requests if it is not set. The token is a bearer token (RFC 6750,
 * section 2.1), or the value of `Maintenance-Token`. If that header is present, `Authorization` is ignored: it may
 * be the token of another guard.
 */
@Injectable()
export class AdminTokenGuard implements CanActivate {
  readonly #tokenHash: Buffer | null;

  constructor(
    @Inject(RESOLVED_OPTIONS) { adminToken }: ResolvedOptions,
    @Inject(HttpIntegration) private readonly httpIntegration: HttpIntegration,
  ) {
    this.#tokenHash = adminToken === undefined ? null : hashToken(adminToken);
  }

  canActivate(context: ExecutionContext): boolean {
    if (this.#tokenHash === null) return true;
    const http = context.switchToHttp();
    const token = readToken(http.getRequest<RequestWithToken>());
    if (token !== undefined && timingSafeEqual(hashToken(token), this.#tokenHash)) return true;
    const response = this.httpIntegration.getRawResponse(http.getResponse());
    const challengeError = token === undefined ? '' : ', error="invalid_token"';
    response.setHeader('WWW-Authenticate', `Bearer realm="maintenance"${challengeError}`);
    throw new UnauthorizedException(
      token === undefined
        ? 'Send the admin token as "Maintenance-Token: <token>" or "Authorization: Bearer <token>".'
        : 'Invalid admin token. If `Maintenance-Token` is sent, `Authorization: Bearer` is ignored.',
    );
  }
}

function readToken({ headers }: RequestWithToken): string | undefined {
  // Proxies may leave an empty header where they remove a value.
  return headers['maintenance-token'] || /^bearer +(\S+) *$/i.exec(headers.authorization ?? '')?.[1];
}

// timingSafeEqual needs buffers of equal length.
function hashToken(token: string): Buffer {
  return createHash('sha256').update(token).digest();
}
