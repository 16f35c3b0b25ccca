import type { Answer } from './answer.js';
import type { Problem } from './problem.js';
import type { AnswerableRequest } from './responder.js';

/** The name of the event that the readers of a stream get. */
export const EVENT = 'maintenance';

/** Milliseconds between two attempts of a reader to come back: the least, and the most. */
const SOONEST = 1_000;
const LATEST = 15_000;

/**
 * When a reader should come back, in milliseconds: soon after the end if that is near, else every now and then, since a window may be
 * ended early. Spread, so that readers do not come back in step.
 */
export function reconnectionTime(retryAfter: number | null): number {
  const left = Math.min(Math.max((retryAfter ?? Infinity) * 1000, SOONEST), LATEST);
  return Math.round(left === LATEST ? left * (0.5 + 0.5 * Math.random()) : left + SOONEST * Math.random());
}

/**
 * Whether a request is that of a reader who was cut off and comes back by itself. It gives up for good at any status but 200 (HTML
 * Standard, section 9.2.3), while who comes for the first time can be told the truth.
 */
export function isReturningReader({ headers }: AnswerableRequest): boolean {
  return headers['last-event-id'] !== undefined && /\btext\/event-stream\b/i.test(String(headers.accept));
}

/** A stream that has nothing but the event, and when to come back. */
export function eventStreamAnswer(problem: Problem): Answer {
  const body = `retry: ${reconnectionTime(problem.retryAfter)}\nevent: ${EVENT}\ndata: ${JSON.stringify(problem)}\n\n`;
  return { status: 200, headers: { 'Content-Type': 'text/event-stream' }, body: Buffer.from(body), hasOwnStatus: true };
}
