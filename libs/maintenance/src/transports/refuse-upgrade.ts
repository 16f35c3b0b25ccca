import { STATUS_CODES } from 'node:http';
import type { Duplex } from 'node:stream';
import type { Answer } from '../http/answer.js';

/** Answers a request for another protocol with a refusal, on the bare socket: HTTP's response is not made by then. */
export function refuseUpgrade(socket: Duplex, { status, headers, body }: Answer, retryAfter: number | null): void {
  const lines = {
    Connection: 'close',
    'Cache-Control': 'no-store',
    ...(retryAfter !== null && { 'Retry-After': retryAfter }),
    ...headers,
    'Content-Length': body.length,
  };
  const head = Object.entries(lines).map(([name, value]) => `${name}: ${value}\r\n`);
  socket.on('error', () => socket.destroy());
  socket.once('finish', () => socket.destroy());
  socket.end(
    Buffer.concat([Buffer.from(`HTTP/1.1 ${status} ${STATUS_CODES[status] ?? ''}\r\n${head.join('')}\r\n`), body]),
  );
}
