// Serves the responses of an application from plain Node: no framework can be faster.
import { createServer } from 'node:http';
import { once } from 'node:events';

/** Headers that Node adds itself. */
const NODE_HEADERS = new Set(['connection', 'keep-alive', 'date', 'transfer-encoding']);

/**
 * Starts a server with copies of the responses of an application.
 *
 * @param url - the application
 * @param requests - the headers of the requests whose responses are copied: `accept`, `accept-language`
 */
export async function serveCopies(url, requests) {
  const copies = new Map();
  for (const requestHeaders of requests) {
    const response = await fetch(url, { headers: requestHeaders });
    const headers = Object.fromEntries([...response.headers].filter(([name]) => !NODE_HEADERS.has(name)));
    copies.set(getKey(requestHeaders), {
      status: response.status,
      headers,
      body: Buffer.from(await response.arrayBuffer()),
    });
  }
  const server = createServer((request, response) => {
    // `fetch` asks for any language.
    const { accept } = request.headers;
    const { status, headers, body } = copies.get(getKey(request.headers)) ?? copies.get(getKey({ accept }));
    response.writeHead(status, headers).end(body);
  });
  await once(server.listen(0, '127.0.0.1'), 'listening');
  return server;
}

function getKey({ accept, 'accept-language': language = '' }) {
  return `${accept} ${language}`;
}
