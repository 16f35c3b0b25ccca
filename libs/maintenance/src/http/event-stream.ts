import type { Answer } from './answer.js';
import type { Refusal } from '../policy/refusal.js';
import { createRefusalPayload, type RefusalPayload } from './refusal-payload.js';
import type { HttpRequest } from './http-request.interface.js';

/** The name of the last event of a refused stream. */
export const SSE_EVENT_TYPE = 'maintenance';

/** How long a reader waits before it reconnects, in milliseconds. */
const MIN_RECONNECT_MS = 1_000;
const MAX_RECONNECT_MS = 15_000;

/**
 * Returns after how many milliseconds a reader should reconnect: soon after a near end, otherwise every few seconds,
 * since a window may end early. The delay is random, so that readers do not reconnect at the same moment.
 */
export function getReconnectDelayMs(retryAfter: number | null): number {
  const left = Math.min(Math.max((retryAfter ?? Infinity) * 1000, MIN_RECONNECT_MS), MAX_RECONNECT_MS);
  return Math.round(
    left === MAX_RECONNECT_MS ? left * (0.5 + 0.5 * Math.random()) : left + MIN_RECONNECT_MS * Math.random(),
  );
}

/**
 * Whether a request is the automatic reconnect of a reader. At any status but 200, a reader never reconnects again
 * (HTML Standard, section 9.2.3); the first request of a reader can get the status of refusals.
 */
export function isReconnect({ headers }: HttpRequest): boolean {
  return headers['last-event-id'] !== undefined && /\btext\/event-stream\b/i.test(String(headers.accept));
}

/** The last event of a refused stream, in the form of Nest's `MessageEvent`. */
export interface MaintenanceEvent {
  type: typeof SSE_EVENT_TYPE;
  id?: string;
  retry: number;
  data: RefusalPayload;
}

/** Creates the event for an open stream or for a reader that reconnects. */
export function createMaintenanceEvent(refusal: Refusal, id: string | undefined): MaintenanceEvent {
  const retry = getReconnectDelayMs(refusal.retryAfter);
  return { type: SSE_EVENT_TYPE, data: createRefusalPayload(refusal), retry, ...(id !== undefined && { id }) };
}

/** Returns the id of the last event that a reader got. Node decodes headers as Latin-1, event ids are UTF-8. */
export function getLastEventId({ headers }: Pick<HttpRequest, 'headers'>): string | undefined {
  const id = headers['last-event-id'];
  return typeof id === 'string' ? Buffer.from(id, 'latin1').toString() : undefined;
}

/** Creates a stream that contains only the event. */
export function createEventStreamAnswer(refusal: Refusal, request: HttpRequest): Answer {
  const { type, id, retry, data } = createMaintenanceEvent(refusal, getLastEventId(request));
  const lines = [`event: ${type}`, ...(id === undefined ? [] : [`id: ${id}`]), `retry: ${retry}`];
  const body = `${lines.join('\n')}\ndata: ${JSON.stringify(data)}\n\n`;
  return { status: 200, headers: { 'Content-Type': 'text/event-stream' }, body: Buffer.from(body), hasOwnStatus: true };
}
