import { request as httpRequest, type IncomingHttpHeaders } from 'node:http';

/** A request to send. The path is sent as it is, without normalization. */
export interface Call {
  method?: string;
  headers?: Record<string, string>;
  body?: string | Buffer;
}

export interface Reply {
  status: number;
  statusMessage: string;
  headers: IncomingHttpHeaders;
  text: string;
  json: <T = Record<string, unknown>>() => T;
}

/** Sends one request over a connection of its own. */
export function call(port: number, path: string, { method = 'GET', headers = {}, body }: Call = {}): Promise<Reply> {
  return new Promise((resolve, reject) => {
    const outgoing = httpRequest({ host: '127.0.0.1', port, path, method, headers, agent: false }, (incoming) => {
      const chunks: Buffer[] = [];
      incoming.on('data', (chunk: Buffer) => chunks.push(chunk));
      incoming.on('error', reject);
      incoming.on('end', () => {
        const text = Buffer.concat(chunks).toString();
        resolve({
          status: incoming.statusCode ?? 0,
          statusMessage: incoming.statusMessage ?? '',
          headers: incoming.headers,
          text,
          json: <T>() => JSON.parse(text) as T,
        });
      });
    });
    outgoing.on('error', reject);
    if (body !== undefined && headers['content-length'] === undefined && headers['transfer-encoding'] === undefined) {
      outgoing.setHeader('content-length', Buffer.byteLength(body));
    }
    outgoing.end(body);
  });
}

/** Uploads until the response arrives; returns the status and the number of bytes that were sent by then. */
export function upload(port: number, path: string, size: number): Promise<[number, number]> {
  return new Promise((resolve, reject) => {
    const chunk = Buffer.alloc(2 ** 16, 97);
    let sent = 0;
    const outgoing = httpRequest({
      host: '127.0.0.1',
      port,
      path,
      method: 'POST',
      agent: false,
      headers: { 'content-type': 'application/json', 'content-length': size },
    });
    outgoing.on('response', (incoming) => {
      resolve([incoming.statusCode ?? 0, sent]);
      outgoing.destroy();
    });
    outgoing.on('error', (error) => (sent === 0 ? reject(error) : undefined));
    const pump = (): void => {
      while (sent < size && !outgoing.destroyed) {
        sent += chunk.length;
        if (!outgoing.write(chunk)) return void outgoing.once('drain', pump);
      }
    };
    pump();
  });
}
