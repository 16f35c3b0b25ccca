import { ForbiddenException, Injectable, type CanActivate, type ExecutionContext } from '@nestjs/common';

interface BrowserRequest {
  method: string;
  headers: Record<string, string | undefined>;
  /** With the port, by the adapter's trust-proxy setting. */
  host: string;
}

const SAFE_METHODS = ['GET', 'HEAD', 'OPTIONS'];

/** Refuses unsafe requests that a page of another origin makes a browser send. Clients that are no browsers send neither header. */
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
  return new ForbiddenException(`Maintenance is not switched from another site (${header}).`);
}
