import { ForbiddenException, Injectable, type CanActivate, type ExecutionContext } from '@nestjs/common';

interface BrowserRequest {
  method: string;
  headers: Record<string, string | undefined>;
  /** The host with its port, according to the adapter's trust-proxy setting. */
  host: string;
}

const SAFE_METHODS = ['GET', 'HEAD', 'OPTIONS'];

/**
 * Refuses unsafe requests that a browser sends for a page of another origin. Other clients send neither of the
 * headers.
 */
@Injectable()
export class SameOriginGuard implements CanActivate {
  canActivate(context: ExecutionContext): boolean {
    const { method, headers, host } = context.switchToHttp().getRequest<BrowserRequest>();
    if (SAFE_METHODS.includes(method)) return true;
    const { origin, 'sec-fetch-site': site } = headers;
    if (site !== undefined && site !== 'same-origin' && site !== 'none')
      throw createForeignOriginError(`Sec-Fetch-Site: ${site}`);
    if (origin !== undefined && !isSameOrigin(host, origin)) throw createForeignOriginError(`Origin: ${origin}`);
    return true;
  }
}

function isSameOrigin(host: string, origin: string): boolean {
  if (!URL.canParse(origin)) return false;
  const { protocol, host: expected } = new URL(origin);
  const own = `${protocol}//${host}`;
  return URL.canParse(own) && new URL(own).host === expected;
}

function createForeignOriginError(header: string): ForbiddenException {
  return new ForbiddenException(`Cross-origin request rejected (${header}).`);
}
