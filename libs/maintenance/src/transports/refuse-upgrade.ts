import { STATUS_CODES } from 'node:http';
import type { Duplex } from 'node:stream';
import type { Answer } from '../http/answer.js';

/** Creates the headers of a refusal that is written without an adapter. */
export function createRefusalHeaders({ headers, body }: Answer, retryAfter: number | null): Record<string, string> {
  return {
    ...(retryAfter !== null && { 'Retry-After': String(retryAfter) }),
    'Cache-Control': 'no-store',
    ...headers,
    'Content-Length': String(body.length),
  };
}

/** Answers an upgrade on its socket, since Node creates no response for it. */
export function refuseUpgrade(socket: Duplex, answer: Answer, retryAfter: number | null): void {
  const { status, body } = answer;
  const headers = Object.entries({ Connection: 'close', ...createRefusalHeaders(answer, retryAfter) });
  // A client that disconnects before the answer must not end the process.
  socket.on('error', () => socket.destroy());
  socket.once('finish', () => socket.destroy());
  const head = [`HTTP/1.1 ${status} ${STATUS_CODES[status] ?? ''}`, ...headers.map((header) => header.join(': '))];
  socket.end(Buffer.concat([Buffer.from(`${head.join('\r\n')}\r\n\r\n`), body]));
}
