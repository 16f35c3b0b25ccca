// Serves the responses of an application from plain Node: no framework can be faster.
import { createServer } from 'node:http';
import { once } from 'node:events';

/** Headers that Node adds itself. */
const NODE_HEADERS = new Set(['connection', 'keep-alive', 'date', 'transfer-encoding']);

/**
 * Starts a server with copies of the responses of an application.
 *
 * @param url - the application
 * @param accepts - the `Accept` headers whose responses are copied
 */
export async function serveCopies(url, accepts) {
  const copies = new Map();
  for (const accept of accepts) {
    const response = await fetch(url, { headers: { accept } });
    const headers = Object.fromEntries([...response.headers].filter(([name]) => !NODE_HEADERS.has(name)));
    copies.set(accept, { status: response.status, headers, body: Buffer.from(await response.arrayBuffer()) });
  }
  const server = createServer((request, response) => {
    const { status, headers, body } = copies.get(request.headers.accept);
    response.writeHead(status, headers).end(body);
  });
  await once(server.listen(0, '127.0.0.1'), 'listening');
  return server;
}
