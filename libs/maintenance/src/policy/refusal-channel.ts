import { channel } from 'node:diagnostics_channel';
import { METHODS } from 'node:http';
import { ALL_SCOPES, type MaintenanceMode } from '../core/maintenance-window.js';
import type { Refusal } from './refusal.js';

/**
 * A refused call, as the diagnostics channel `nestjs-maintenance:refused` publishes it. It has nothing that the caller
 * sent, so that all members can be labels of metrics.
 */
export interface RefusedCall {
  /** The pattern of the route, such as `GET /orders/:id`, or the name of the handler; `GET (no route)` without one. */
  route: string;
  /** The HTTP method, or the kind of the call: `message`, `event`, `grpc`, `connect`, `subscription`. */
  method: string;
  /** `http`, `graphql`, `ws` or `rpc`; for others, the type of Nest's context. */
  transport: string;
  scope: string;
  mode: MaintenanceMode;
  /** The HTTP status of the answer. Without HTTP, it is that of refusals. */
  status: number;
}

/** The part of a refused call that its transport knows. */
export type RefusedCallOrigin = Omit<RefusedCall, 'scope' | 'mode'>;

// A constant, as in diagnostics-channel.ts.
const REFUSED_CHANNEL = channel('nestjs-maintenance:refused');
const KNOWN_METHODS = new Set(METHODS);

/** Whether anyone subscribes to refusals, for callers that would prepare something. */
export function hasRefusalSubscribers(): boolean {
  return REFUSED_CHANNEL.hasSubscribers;
}

/**
 * Publishes a refusal to the subscribers in this process.
 *
 * @param describe - called only if there are any
 */
export function publishRefusal({ window }: Refusal, describe: () => RefusedCallOrigin): void {
  if (!REFUSED_CHANNEL.hasSubscribers) return;
  REFUSED_CHANNEL.publish({
    ...describe(),
    scope: window?.scope ?? ALL_SCOPES,
    mode: window?.mode ?? 'full',
  } satisfies RefusedCall);
}

/**
 * Describes an HTTP request by its route.
 *
 * @param pattern - the path of the route, with names instead of values; `undefined` where there is none
 */
export function describeRoute(method: string, pattern: string | undefined): Pick<RefusedCall, 'route' | 'method'> {
  // Over HTTP/2, a client may invent methods.
  const known = KNOWN_METHODS.has(method) ? method : '_OTHER';
  return { route: `${known} ${pattern ?? '(no route)'}`, method: known };
}
