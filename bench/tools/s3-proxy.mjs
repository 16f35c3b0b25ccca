// A proxy in front of an S3 server that counts the requests by method.
import { once } from 'node:events';
import { Agent, createServer, request } from 'node:http';

/**
 * Starts the proxy.
 *
 * @param url - the server
 * @param waitUntilWritten - for a server that responds before an object is stored: waits for that, and makes the proxy
 *   forward one call at a time
 */
export async function startCountingProxy({ url, waitUntilWritten }) {
  const calls = {};
  const agent = new Agent({ keepAlive: true });
  let last = Promise.resolve();
  const server = createServer((message, response) => {
    calls[message.method] = (calls[message.method] ?? 0) + 1;
    const respond = () => forward(message, response).catch(() => response.destroy());
    last = waitUntilWritten ? last.then(respond) : (respond(), last);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');

  async function forward(message, response) {
    const { method, url: path, headers } = message;
    const body = await readBody(message);
    // The host stays that of the client, since the client has signed it.
    const forwarded = request(new URL(path, url), { method, headers, agent });
    forwarded.end(body);
    const [answer] = await once(forwarded, 'response');
    const content = await readBody(answer);
    if (method === 'PUT' && answer.statusCode === 200) await waitUntilWritten?.(path.split('?')[0], body);
    const { connection: _connection, ...rest } = answer.headers;
    response.writeHead(answer.statusCode, rest).end(content);
  }

  return {
    url: `http://127.0.0.1:${server.address().port}`,
    calls,
    close: async () => {
      agent.destroy();
      server.closeAllConnections();
      server.close();
      await once(server, 'close');
    },
  };
}

async function readBody(stream) {
  return Buffer.concat(await stream.toArray());
}
