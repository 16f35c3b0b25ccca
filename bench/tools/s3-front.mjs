// Stands before an S3 and counts what comes, by method.
import { once } from 'node:events';
import { Agent, createServer, request } from 'node:http';

/**
 * @param url - of the server
 * @param written - waits until a write is done, for a server that answers before; then calls go to it one after the other
 */
export async function startFront({ url, written }) {
  const calls = {};
  const agent = new Agent({ keepAlive: true });
  let last = Promise.resolve();
  const server = createServer((message, response) => {
    calls[message.method] = (calls[message.method] ?? 0) + 1;
    const answered = () => serve(message, response).catch(() => response.destroy());
    last = written ? last.then(answered) : (answered(), last);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');

  async function serve(message, response) {
    const { method, url: path, headers } = message;
    const body = await contentOf(message);
    // The name of the host stays as it came, for it is signed.
    const forwarded = request(new URL(path, url), { method, headers, agent });
    forwarded.end(body);
    const [answer] = await once(forwarded, 'response');
    const content = await contentOf(answer);
    if (method === 'PUT' && answer.statusCode === 200) await written?.(path.split('?')[0], body);
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

async function contentOf(stream) {
  return Buffer.concat(await stream.toArray());
}
