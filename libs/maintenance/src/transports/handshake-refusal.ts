import { STATUS_CODES, type ServerResponse } from 'node:http';
import type { Duplex } from 'node:stream';
import { problemOf } from '../http/problem.js';
import type { Refusal } from '../policy/refusal.js';

/** Answers an upgrade: nobody has made a response for it, so it is written as it goes over the wire. */
export function refuseUpgrade(socket: Duplex, refusal: Refusal, status: number): void {
  const body = bodyOf(refusal, status);
  const headers = Object.entries({ Connection: 'close', ...headersOf(refusal, body) });
  // Who is gone before the answer must not end the process.
  socket.on('error', () => socket.destroy());
  socket.once('finish', () => socket.destroy());
  const head = [`HTTP/1.1 ${status} ${STATUS_CODES[status] ?? ''}`, ...headers.map((header) => header.join(': '))];
  socket.end(`${head.join('\r\n')}\r\n\r\n${body}`);
}

/** Answers a request that asks for a session of long polling; CORS headers that it has already are kept. */
export function refuseRequest(response: ServerResponse, refusal: Refusal, status: number): void {
  const body = bodyOf(refusal, status);
  response.writeHead(status, headersOf(refusal, body)).end(body);
}

function bodyOf(refusal: Refusal, status: number): string {
  return JSON.stringify(problemOf(refusal, status));
}

function headersOf({ retryAfter }: Refusal, body: string): Record<string, string> {
  return {
    ...(retryAfter !== null && { 'Retry-After': String(retryAfter) }),
    'Cache-Control': 'no-store',
    'Content-Type': 'application/problem+json',
    'Content-Length': String(Buffer.byteLength(body)),
  };
}
