import { createProblem, type ERROR_CODE } from './problem.js';
import type { Refusal } from '../policy/refusal.js';
import type { MaintenanceMode } from '../core/maintenance-window.js';

/** The data of a refusal for transports without an HTTP response. */
export interface RefusalPayload {
  status: 'error';
  code: typeof REFUSAL_CODE;
  errorCode: typeof ERROR_CODE;
  message: string;
  /** Seconds; `null`: unknown. */
  retryAfter: number | null;
  /** ISO 8601 in UTC; `null`: unknown. */
  startsAt: string | null;
  /** ISO 8601 in UTC; `null`: unknown. */
  endsAt: string | null;
  scope: string;
  mode: MaintenanceMode;
}

/** The `code` of every refusal, which GraphQL clients and sockets get. */
export const REFUSAL_CODE = 'SERVICE_UNAVAILABLE';

/** Creates the data of a refusal for transports without an HTTP response. */
export function createRefusalPayload(refusal: Refusal): RefusalPayload {
  const { message, errorCode, retryAfter, startsAt, endsAt, scope, mode } = createProblem(refusal, 503);
  return { status: 'error', code: REFUSAL_CODE, errorCode, message, retryAfter, startsAt, endsAt, scope, mode };
}
