import type { Answer } from './answer.js';
import type { Refusal } from '../policy/refusal.js';
import { createRefusalPayload, type RefusalPayload } from './refusal-payload.js';
import type { HttpRequest } from './http-request.interface.js';

/** The name of the event that the readers of a stream get. */
export const SSE_EVENT_TYPE = 'maintenance';

/** Milliseconds between two attempts of a reader to come back: the least, and the most. */
const MIN_RECONNECT_MS = 1_000;
const MAX_RECONNECT_MS = 15_000;

/**
 * When a reader should come back, in milliseconds: soon after the end if that is near, else every now and then, since a window may be
 * ended early. Spread, so that readers do not come back in step.
 */
export function getReconnectDelayMs(retryAfter: number | null): number {
  const left = Math.min(Math.max((retryAfter ?? Infinity) * 1000, MIN_RECONNECT_MS), MAX_RECONNECT_MS);
  return Math.round(
    left === MAX_RECONNECT_MS ? left * (0.5 + 0.5 * Math.random()) : left + MIN_RECONNECT_MS * Math.random(),
  );
}

/**
 * Whether a request is that of a reader who was cut off and comes back by itself. It gives up for good at any status but 200 (HTML
 * Standard, section 9.2.3), while who comes for the first time can be told the truth.
 */
export function isReconnect({ headers }: HttpRequest): boolean {
  return headers['last-event-id'] !== undefined && /\btext\/event-stream\b/i.test(String(headers.accept));
}

/** The event that tells a reader of maintenance, with the members that Nest calls a `MessageEvent`. */
export interface MaintenanceEvent {
  type: typeof SSE_EVENT_TYPE;
  id?: string;
  retry: number;
  data: RefusalPayload;
}

/** Creates the event, the same for a stream that is open and for a reader who comes back. */
export function createMaintenanceEvent(refusal: Refusal, id: string | undefined): MaintenanceEvent {
  const retry = getReconnectDelayMs(refusal.retryAfter);
  return { type: SSE_EVENT_TYPE, data: createRefusalPayload(refusal), retry, ...(id !== undefined && { id }) };
}

/** Returns the id of the event that a reader got last, as it was sent: Node reads the bytes of headers as Latin-1. */
export function getLastEventId({ headers }: Pick<HttpRequest, 'headers'>): string | undefined {
  const id = headers['last-event-id'];
  return typeof id === 'string' ? Buffer.from(id, 'latin1').toString() : undefined;
}

/** Creates a stream that has nothing but the event. */
export function createEventStreamAnswer(refusal: Refusal, request: HttpRequest): Answer {
  const { type, id, retry, data } = createMaintenanceEvent(refusal, getLastEventId(request));
  const lines = [`event: ${type}`, ...(id === undefined ? [] : [`id: ${id}`]), `retry: ${retry}`];
  const body = `${lines.join('\n')}\ndata: ${JSON.stringify(data)}\n\n`;
  return { status: 200, headers: { 'Content-Type': 'text/event-stream' }, body: Buffer.from(body), hasOwnStatus: true };
}
