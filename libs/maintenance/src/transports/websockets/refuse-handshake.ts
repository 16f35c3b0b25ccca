import type { ServerResponse } from 'node:http';
import type { Duplex } from 'node:stream';
import type { Answer } from '../../http/answer.js';
import { createProblem } from '../../http/problem.js';
import type { Refusal } from '../../policy/refusal.js';
import { createRefusalHeaders, refuseUpgrade } from '../refuse-upgrade.js';

/** Refuses an upgrade that would open a socket. */
export function refuseHandshake(socket: Duplex, refusal: Refusal, status: number): void {
  refuseUpgrade(socket, createProblemAnswer(refusal, status), refusal.retryAfter);
}

/** Refuses a request that would start a long-polling session. Keeps CORS headers that are already set. */
export function refuseRequest(response: ServerResponse, refusal: Refusal, status: number): void {
  const answer = createProblemAnswer(refusal, status);
  response.writeHead(status, createRefusalHeaders(answer, refusal.retryAfter)).end(answer.body);
}

function createProblemAnswer(refusal: Refusal, status: number): Answer {
  const body = Buffer.from(JSON.stringify(createProblem(refusal, status)));
  return { status, headers: { 'Content-Type': 'application/problem+json' }, body };
}
