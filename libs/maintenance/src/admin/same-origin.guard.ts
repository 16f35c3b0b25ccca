import { ForbiddenException, Inject, Injectable, type CanActivate, type ExecutionContext } from '@nestjs/common';
import { MODULE_EXTRAS } from '../maintenance.constants.js';
import type { MaintenanceModuleExtras } from '../options/maintenance-options.js';

/** The members of a request that tell for which page a browser sends it. */
export interface BrowserRequest {
  method: string;
  headers: Record<string, string | undefined>;
  /** The host with its port, according to the adapter's trust-proxy setting. */
  host: string;
}

const SAFE_METHODS = ['GET', 'HEAD', 'OPTIONS'];

/** Whether the method of a request may change nothing. */
export function isSafeMethod(method: string): boolean {
  return SAFE_METHODS.includes(method);
}

/**
 * Refuses unsafe requests that a browser sends for a page of another origin. Other clients send neither of the
 * headers.
 */
@Injectable()
export class SameOriginGuard implements CanActivate {
  readonly #trustedOrigins: ReadonlySet<string>;

  constructor(@Inject(MODULE_EXTRAS) { admin }: MaintenanceModuleExtras) {
    const origins = typeof admin === 'object' ? (admin.trustedOrigins ?? []) : [];
    this.#trustedOrigins = new Set(origins.map((origin) => new URL(origin).origin));
  }

  canActivate(context: ExecutionContext): boolean {
    const request = context.switchToHttp().getRequest<BrowserRequest>();
    if (isSafeMethod(request.method)) return true;
    const foreign = this.findForeignOrigin(request);
    if (foreign === undefined) return true;
    throw new ForbiddenException(
      `Cross-origin request rejected (${foreign}). If a proxy changes the host, name the origin of the browser in ` +
        '`admin.trustedOrigins`.',
    );
  }

  /**
   * Returns the header by which a request comes from a page of another origin; `undefined` for all others. A cookie is
   * not accepted from such a page, whatever the method.
   */
  findForeignOrigin({ headers, host }: BrowserRequest): string | undefined {
    const { origin, 'sec-fetch-site': site } = headers;
    if (origin !== undefined && this.#trustedOrigins.has(origin)) return undefined;
    if (site !== undefined && site !== 'same-origin' && site !== 'none') return `Sec-Fetch-Site: ${site}`;
    return origin === undefined || isSameOrigin(host, origin) ? undefined : `Origin: ${origin}`;
  }
}

function isSameOrigin(host: string, origin: string): boolean {
  if (!URL.canParse(origin)) return false;
  const { protocol, host: expected } = new URL(origin);
  const own = `${protocol}//${host}`;
  return URL.canParse(own) && new URL(own).host === expected;
}
