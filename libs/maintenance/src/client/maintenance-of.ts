import type { MaintenanceMode } from '../core/maintenance-window.js';

/** The maintenance that a refused response tells of. */
export interface MaintenanceRefusal {
  /** The mode: `'full'` refuses every call, `'read-only'` those that write. */
  mode: MaintenanceMode;
  /** The scope of the window: `'*'` for the whole application. */
  scope: string;
  /** The end; `null` where it is not known. */
  until: Date | null;
  /** The seconds after which to try again; `null` where the response has no `Retry-After`. */
  retryAfter: number | null;
}

type Headers = { get?: ((name: string) => unknown) | string } & Record<string, unknown>;
type Body = { errorCode?: unknown; mode?: unknown; scope?: unknown; endsAt?: unknown; retryAfter?: unknown };
type ResponseLike = Body & { headers?: Headers; data?: Body; response?: ResponseLike };

/**
 * Tells the refusal of an application in maintenance from every other response, such as the 503 of a proxy.
 *
 * @param response - a `Response` of `fetch`, a response or an error of axios, or the parsed JSON body of a response.
 *   Of a `Response`, the header `Maintenance-Mode` is read, which the application exposes to other origins by its CORS
 * @returns `null` for every other response
 *
 * @example
 * ```ts
 * const response = await fetch('/orders');
 * const maintenance = maintenanceOf(response);
 * if (maintenance) showBanner(maintenance.until);
 * ```
 */
export function maintenanceOf(response: unknown): MaintenanceRefusal | null {
  const outer = (response ?? {}) as ResponseLike;
  const found = outer.response ?? outer;
  const body = found.data ?? found;
  const header = getHeader(found.headers, 'maintenance-mode') ?? '';
  const isProblem = body.errorCode === 'MAINTENANCE';
  const mode = /^(?:full|read-only)(?=[;,]|$)/.exec(header)?.[0] ?? (isProblem && body.mode);
  if (!mode) return null;
  // A Date is in seconds (RFC 9651, section 3.3.7).
  const until = /; *until=@(\d+)/.exec(header.replace(/".*"/, ''))?.[1];
  const end = until ? Number(until) * 1000 : isProblem && body.endsAt;
  const seconds = Number(getHeader(found.headers, 'retry-after') ?? (isProblem ? body.retryAfter : undefined) ?? NaN);
  return {
    mode: mode as MaintenanceMode,
    scope: parseScope(header) ?? (((isProblem && body.scope) || '*') as string),
    until: end ? new Date(end as number) : null,
    retryAfter: seconds >= 0 ? seconds : null,
  };
}

/** Parses the scope: a String, or a Display String with other characters (RFC 9651, sections 3.3.3 and 3.3.8). */
function parseScope(header: string): string | undefined {
  const [, text, encoded] = /; *scope=(?:"((?:[^"\\]|\\.)*)"|%"([^"]*)")/.exec(header) ?? [];
  try {
    return text?.replace(/\\(.)/g, '$1') ?? (encoded && decodeURIComponent(encoded));
  } catch {
    return undefined;
  }
}

function getHeader(headers: Headers | undefined, name: string): string | null | undefined {
  const value = typeof headers?.get === 'function' ? headers.get(name) : headers?.[name];
  return value as string | null | undefined;
}
