import { once } from 'node:events';
import { createServer, request, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { connect as connectHttp2, createServer as createHttp2Server, type Http2Server } from 'node:http2';
import { connect, type AddressInfo, type Socket } from 'node:net';
import { until } from '../../../../test/tools/waiting.js';
import { ManualClock } from '../testing/manual-clock.js';
import { encodeEvent, StreamHub, type EventStream } from './stream-hub.js';

const HEARTBEAT_MS = 15_000;

describe('StreamHub', () => {
  let server: Server | Http2Server;
  let clock: ManualClock;
  let shutdown: AbortController;
  let hub: StreamHub;
  let streams: Set<EventStream>;
  let closed: number;
  const sockets: Socket[] = [];

  const handle = (response: ServerResponse): void => {
    const stream = hub.open(response, () => {
      closed++;
      streams.delete(stream);
    });
    streams.add(stream);
    stream.send(encodeEvent({ hello: 'there' }));
  };
  const listen = async (created: Server | Http2Server): Promise<number> => {
    server = created;
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    return (server.address() as AddressInfo).port;
  };
  const broadcast = (event: Buffer): void => streams.forEach((stream) => stream.send(event));

  beforeEach(() => {
    clock = new ManualClock('2030-12-01T00:00Z');
    shutdown = new AbortController();
    hub = new StreamHub({ takeOver: (response) => response as ServerResponse }, clock, shutdown.signal);
    streams = new Set();
    closed = 0;
  });
  afterEach(async () => {
    sockets.splice(0).forEach((socket) => socket.destroy());
    shutdown.abort();
    server.close();
    await once(server, 'close');
  });

  async function open(port: number, method = 'GET'): Promise<{ incoming: IncomingMessage; read: () => string }> {
    const outgoing = request({ host: '127.0.0.1', port, method, agent: false }).end();
    const [incoming] = (await once(outgoing, 'response')) as [IncomingMessage];
    let text = '';
    incoming.on('data', (chunk: Buffer) => (text += chunk.toString()));
    incoming.on('error', () => undefined);
    return { incoming, read: () => text };
  }

  /** Sends a request on a connection that reads nothing until it is resumed. */
  async function connectSilently(port: number, head: string): Promise<Socket> {
    const socket = connect(port, '127.0.0.1');
    sockets.push(socket);
    socket.on('error', () => undefined);
    socket.pause();
    await once(socket, 'connect');
    socket.write(head);
    return socket;
  }

  it('sends headers that no proxy or compression holds back, the time to reconnect, and events', async () => {
    const port = await listen(createServer((_request, response) => handle(response)));
    const { incoming, read } = await open(port);
    expect(incoming.headers).toMatchObject({
      'content-type': 'text/event-stream',
      'cache-control': 'no-store, no-transform',
      'x-accel-buffering': 'no',
    });
    broadcast(encodeEvent({ more: true }, 'news'));
    await until('the event arrives', () => read().includes('news'));
    expect(read().replace(/\d+/, 'N')).toBe(
      'retry: N\n\ndata: {"hello":"there"}\n\nevent: news\ndata: {"more":true}\n\n',
    );
    const retry = Number(/\d+/.exec(read()));
    expect(retry).toBeGreaterThanOrEqual(1_000);
    expect(retry).toBeLessThanOrEqual(5_000);
  });

  it('sends a comment every 15 seconds while there are streams, and keeps no timer without', async () => {
    const port = await listen(createServer((_request, response) => handle(response)));
    expect(clock.pending).toBe(0);
    const { incoming, read } = await open(port);
    await clock.moveTo(clock.now() + HEARTBEAT_MS);
    await clock.moveTo(clock.now() + HEARTBEAT_MS);
    await until('two comments arrive', () => read().endsWith(':\n\n:\n\n'));
    incoming.destroy();
    await until('the stream is closed', () => closed === 1);
    await clock.moveTo(clock.now() + HEARTBEAT_MS);
    expect([hub.size, clock.pending]).toEqual([0, 0]);
  });

  it('ends a stream on request, and answers HEAD with the headers alone', async () => {
    const port = await listen(createServer((_request, response) => handle(response)));
    const { incoming, read } = await open(port);
    const ended = once(incoming, 'end');
    streams.forEach((stream) => stream.end());
    await ended;
    expect(read()).toContain('hello');
    await until('the stream is closed', () => closed === 1 && streams.size === 0);
    const head = await open(port, 'HEAD');
    await once(head.incoming, 'end');
    expect([head.incoming.statusCode, head.read()]).toEqual([200, '']);
    await until('no stream is left', () => hub.size === 0 && streams.size === 0);
  });

  it('works with HTTP/1.0, which has no chunks', async () => {
    const port = await listen(createServer((_request, response) => handle(response)));
    const socket = await connectSilently(port, 'GET / HTTP/1.0\r\n\r\n');
    let text = '';
    socket.on('data', (chunk) => (text += chunk.toString()));
    socket.resume();
    await until('the event arrives', () => text.endsWith('\n\ndata: {"hello":"there"}\n\n'));
    expect(text).not.toMatch(/transfer-encoding/i);
  });

  it('disconnects a client that does not read before much waits for it, and no other client', async () => {
    const port = await listen(createServer((_request, response) => handle(response)));
    const { read } = await open(port);
    await connectSilently(port, 'GET / HTTP/1.1\r\nHost: localhost\r\n\r\n');
    await until('both streams are open', () => streams.size === 2);
    const event = encodeEvent('x'.repeat(16_384));
    let sent = 0;
    // The buffers of the operating system take some megabytes first.
    await until('the client is disconnected', () => {
      broadcast(event);
      sent++;
      return closed === 1;
    });
    await until('the other has got all', () => read().length > sent * event.length);
    expect(hub.size).toBe(1);
  });

  it('forgets a stream that waited behind another response when the client disconnected', async () => {
    const waiting: ServerResponse[] = [];
    const port = await listen(
      createServer(({ url }, response) => (url === '/slow' ? waiting.push(response) : handle(response))),
    );
    const get = (path: string): string => `GET ${path} HTTP/1.1\r\nHost: localhost\r\n\r\n`;
    const socket = await connectSilently(port, get('/slow') + get('/events'));
    await until('the stream is open', () => streams.size === 1);
    socket.destroy();
    await until('the server knows', () => waiting[0]!.destroyed);
    await clock.moveTo(clock.now() + HEARTBEAT_MS);
    expect([hub.size, closed]).toEqual([0, 1]);
  });

  it('lets the server close at once: streams are ended, also of clients that do not read, and new ones too', async () => {
    const responses: ServerResponse[] = [];
    const created = createServer((_request, response) => {
      responses.push(response);
      handle(response);
    });
    const port = await listen(created);
    const { incoming, read } = await open(port);
    await connectSilently(port, 'GET / HTTP/1.1\r\nHost: localhost\r\n\r\n');
    await until('both streams are open', () => streams.size === 2);
    const event = encodeEvent('x'.repeat(16_384));
    const silent = [...streams][1]!;
    // The buffers of the operating system take some megabytes, and the rest has to wait.
    for (let count = 0; count < 500 && hub.size === 2; count++) {
      silent.send(event);
      await new Promise((resolve) => setImmediate(resolve));
      if (responses[1]!.writableLength > 0) break;
    }
    const ended = once(incoming, 'end');
    shutdown.abort();
    const late = await open(port);
    await once(late.incoming, 'end');
    created.close();
    await Promise.all([once(created, 'close'), ended]);
    expect(read()).toContain('hello');
    expect(hub.size).toBe(0);
    await listen(createServer());
  });

  it('works with HTTP/2', async () => {
    const port = await listen(createHttp2Server((_request, response) => handle(response as unknown as ServerResponse)));
    const session = connectHttp2(`http://127.0.0.1:${port}`);
    const outgoing = session.request({ ':path': '/' });
    const [headers] = (await once(outgoing, 'response')) as [Record<string, string>];
    expect(headers).toMatchObject({ ':status': 200, 'content-type': 'text/event-stream' });
    let text = '';
    outgoing.on('data', (chunk: Buffer) => (text += chunk.toString()));
    broadcast(encodeEvent({ more: true }));
    await until('the event arrives', () => text.includes('more'));
    outgoing.close();
    await until('the stream is closed', () => closed === 1 && hub.size === 0);
    session.close();
  });
});
