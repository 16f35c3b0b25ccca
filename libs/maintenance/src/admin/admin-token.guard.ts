import { createHash, timingSafeEqual } from 'node:crypto';
import { Inject, Injectable, UnauthorizedException, type CanActivate, type ExecutionContext } from '@nestjs/common';
import { HttpIntegration } from '../http/http-integration.js';
import type { ResolvedOptions } from '../options/resolved-options.js';
import { RESOLVED_OPTIONS } from '../maintenance.constants.js';

interface RequestWithToken {
  headers: { authorization?: string; 'maintenance-token'?: string };
}

/**
 * Admits requests with the `adminToken`, all requests where none is set. It is a bearer token (RFC 6750, section 2.1), or the value of
 * `Maintenance-Token`, which counts alone where it is present: `Authorization` may hold the token of another guard.
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
    const given = readToken(http.getRequest<RequestWithToken>());
    if (given !== undefined && timingSafeEqual(hashToken(given), this.#tokenHash)) return true;
    const response = this.httpIntegration.getRawResponse(http.getResponse());
    const reason = given === undefined ? '' : ', error="invalid_token"';
    response.setHeader('WWW-Authenticate', `Bearer realm="maintenance"${reason}`);
    throw new UnauthorizedException(
      given === undefined
        ? 'Send the admin token as "Maintenance-Token: <token>" or "Authorization: Bearer <token>".'
        : 'The admin token is not the right one. `Maintenance-Token` counts alone where it is sent, else `Authorization: Bearer`.',
    );
  }
}

function readToken({ headers }: RequestWithToken): string | undefined {
  // An empty header says nothing: proxies leave one where they remove a value.
  return headers['maintenance-token'] || /^bearer +(\S+) *$/i.exec(headers.authorization ?? '')?.[1];
}

// Digests have one length, so that the comparison takes the same time whatever was sent.
function hashToken(token: string): Buffer {
  return createHash('sha256').update(token).digest();
}
