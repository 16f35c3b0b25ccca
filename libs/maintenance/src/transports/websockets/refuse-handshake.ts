import type { ServerResponse } from 'node:http';
import type { Duplex } from 'node:stream';
import type { Answer } from '../../http/answer.js';
import { createProblem } from '../../http/problem.js';
import type { Refusal } from '../../policy/refusal.js';
import { createRefusalHeaders, refuseUpgrade } from '../refuse-upgrade.js';

/** Refuses a socket that is to be opened by an upgrade. */
export function refuseHandshake(socket: Duplex, refusal: Refusal, status: number): void {
  refuseUpgrade(socket, createProblemAnswer(refusal, status), refusal.retryAfter);
}

/** Answers a request that asks for a session of long polling; CORS headers that it has already are kept. */
export function refuseRequest(response: ServerResponse, refusal: Refusal, status: number): void {
  const answer = createProblemAnswer(refusal, status);
  response.writeHead(status, createRefusalHeaders(answer, refusal.retryAfter)).end(answer.body);
}

function createProblemAnswer(refusal: Refusal, status: number): Answer {
  const body = Buffer.from(JSON.stringify(createProblem(refusal, status)));
  return { status, headers: { 'Content-Type': 'application/problem+json' }, body };
}
