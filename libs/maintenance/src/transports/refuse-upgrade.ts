import { STATUS_CODES, type ServerResponse } from 'node:http';
import type { Duplex } from 'node:stream';
import type { Answer } from '../http/answer.js';
import { exposeHeaders } from '../http/exposed-headers.js';
import { createProblem } from '../http/problem.js';
import { createRefusalHeaders } from '../http/refusal-headers.js';
import type { Refusal } from '../policy/refusal.js';

/** Answers an upgrade on its socket, since Node creates no response for it. */
export function refuseUpgrade(socket: Duplex, answer: Answer, refusal: Refusal): void {
  const { status, body } = answer;
  const headers = Object.entries({ Connection: 'close', ...createHeaders(answer, refusal) });
  // A client that disconnects before the answer must not end the process.
  socket.on('error', () => socket.destroy());
  socket.once('finish', () => socket.destroy());
  const head = [`HTTP/1.1 ${status} ${STATUS_CODES[status] ?? ''}`, ...headers.map((header) => header.join(': '))];
  socket.end(Buffer.concat([Buffer.from(`${head.join('\r\n')}\r\n\r\n`), body]));
}

/** Refuses an upgrade that would open a socket. */
export function refuseHandshake(socket: Duplex, refusal: Refusal, status: number): void {
  refuseUpgrade(socket, createProblemAnswer(refusal, status), refusal);
}

/** Refuses a request that would start a long-polling session. Keeps CORS headers that are already set. */
export function refuseRequest(response: ServerResponse, refusal: Refusal, status: number): void {
  const answer = createProblemAnswer(refusal, status);
  exposeHeaders(response);
  response.writeHead(status, createHeaders(answer, refusal)).end(answer.body);
}

function createProblemAnswer(refusal: Refusal, status: number): Answer {
  const body = Buffer.from(JSON.stringify(createProblem(refusal, status)));
  return { status, headers: { 'Content-Type': 'application/problem+json' }, body };
}

/** Creates the headers of a refusal that is written without an adapter. */
function createHeaders({ headers, body }: Answer, refusal: Refusal): Record<string, string> {
  return { ...createRefusalHeaders(refusal), ...headers, 'Content-Length': String(body.length) };
}
