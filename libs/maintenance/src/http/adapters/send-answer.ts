import type { ServerResponse } from 'node:http';
import type { Answer } from '../answer.js';

/** Ends Node's response with an answer, unless the response was sent before. */
export function sendAnswer(response: ServerResponse, { status, headers, body }: Answer): void {
  if (response.headersSent) return;
  response.statusCode = status;
  for (const [name, value] of Object.entries(headers)) response.setHeader(name, value);
  response.setHeader('Content-Length', body.length);
  response.end(body);
}
