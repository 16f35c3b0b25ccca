// Gives the answers of an application without it, from nothing but Node: what no framework can be faster than.
import { createServer } from 'node:http';
import { once } from 'node:events';

/** What Node adds by itself. */
const BY_NODE = new Set(['connection', 'keep-alive', 'date', 'transfer-encoding']);

/**
 * @param url - of the application
 * @param accepts - the `Accept` headers to which its answers are copied
 */
export async function copyAnswers(url, accepts) {
  const answers = new Map();
  for (const accept of accepts) {
    const answer = await fetch(url, { headers: { accept } });
    const headers = Object.fromEntries([...answer.headers].filter(([name]) => !BY_NODE.has(name)));
    answers.set(accept, { status: answer.status, headers, body: Buffer.from(await answer.arrayBuffer()) });
  }
  const server = createServer((request, response) => {
    const { status, headers, body } = answers.get(request.headers.accept);
    response.writeHead(status, headers).end(body);
  });
  await once(server.listen(0, '127.0.0.1'), 'listening');
  return server;
}
