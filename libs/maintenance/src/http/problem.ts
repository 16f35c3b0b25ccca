import { STATUS_CODES } from 'node:http';
import type { Refusal } from '../policy/refusal.js';
import { ALL_SCOPES, type MaintenanceMode } from '../core/maintenance-window.js';

/** The JSON body of a refused request: a problem document (RFC 9457) that also has the members of Nest's own errors. */
export interface Problem {
  type: string;
  title: string;
  status: number;
  detail: string;
  statusCode: number;
  message: string;
  error: string;
  /** Seconds; `null`: unknown. */
  retryAfter: number | null;
  /** ISO 8601 in UTC; `null`: unknown. */
  startsAt: string | null;
  /** ISO 8601 in UTC; `null`: unknown. */
  endsAt: string | null;
  scope: string;
  mode: MaintenanceMode;
  [custom: string]: unknown;
}

const DEFAULT_MESSAGE = 'The service is down for maintenance. Please try again later.';
const DEFAULT_READ_ONLY_MESSAGE = 'The service is read-only during maintenance. Reading works, changes have to wait.';

/**
 * Creates the problem document of a refusal. With the type `about:blank`, its title is that of the status (RFC 9457,
 * section 4.2.1).
 */
export function createProblem({ window, retryAfter }: Refusal, status: number): Problem {
  const mode = window?.mode ?? 'full';
  const message = window?.message || (mode === 'read-only' ? DEFAULT_READ_ONLY_MESSAGE : DEFAULT_MESSAGE);
  const title = STATUS_CODES[status] ?? 'Service Unavailable';
  return {
    type: 'about:blank',
    title,
    status,
    detail: message,
    statusCode: status,
    message,
    error: title,
    retryAfter,
    startsAt: window?.startsAt ?? null,
    endsAt: window?.endsAt ?? null,
    scope: window?.scope ?? ALL_SCOPES,
    mode,
  };
}
