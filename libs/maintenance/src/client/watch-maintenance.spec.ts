import { once } from 'node:events';
import { createServer, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { until } from '../../../../test/tools/waiting.js';
import type { PublicStatus } from '../core/public-status.js';
import { watchMaintenance } from './watch-maintenance.js';

type Handler = (response: ServerResponse) => void;

const ON = { active: true };
const OFF = { active: false };
/** How much shorter the delays of the client are. */
const SPEED = 1_000;
const TIMEOUTS_MS = [10_000, 45_000];

const event = (status: unknown): string => `data: ${JSON.stringify(status)}\n\n`;
const sendStatus =
  (status: unknown): Handler =>
  (response) =>
    response.writeHead(200, { 'content-type': 'application/json; charset=utf-8' }).end(JSON.stringify(status));
const sendPage =
  (status: number): Handler =>
  (response) =>
    response.writeHead(status, { 'content-type': 'text/html' }).end('<h1>Bad gateway</h1>');
const hang: Handler = () => undefined;
const disconnect: Handler = (response) => response.destroy();

describe('watchMaintenance()', () => {
  let server: Server;
  let port: number;
  let requests: string[];
  let streams: ServerResponse[];
  let sendStream: Handler;
  let sendPoll: Handler;
  let seen: PublicStatus[];
  let delays: number[];
  /** How much shorter the timeouts of the client are: a busy machine needs time for an answer. */
  let timeoutSpeed: number;
  let stop: () => void = () => undefined;

  /** Answers with a stream that a test writes to. */
  const openStream: Handler = (response) => {
    response.writeHead(200, { 'content-type': 'text/event-stream' }).write('retry: 1000\n\n');
    streams.push(response);
  };
  const listen = async (on = 0): Promise<void> => {
    server = createServer((request, response) => {
      requests.push(request.url!);
      if (request.url!.includes('/events')) sendStream(response);
      else sendPoll(response);
    });
    await once(server.listen(on, '127.0.0.1'), 'listening');
    port = (server.address() as AddressInfo).port;
  };
  const close = async (): Promise<void> => {
    server.close();
    server.closeAllConnections();
    await once(server, 'close');
  };
  const watch = (path = '/status'): void => {
    stop = watchMaintenance(`http://127.0.0.1:${port}${path}`, (status) => seen.push(status));
  };
  const broadcast = (text: string): void => streams.forEach((stream) => stream.write(text));
  const getActive = (): boolean[] => seen.map(({ active }) => active);

  beforeEach(async () => {
    [requests, streams, seen, delays] = [[], [], [], []];
    sendStream = openStream;
    sendPoll = sendPage(404);
    timeoutSpeed = 20;
    const wait = setTimeout;
    const shorten = (callback: () => void, delay = 0): NodeJS.Timeout => {
      if (TIMEOUTS_MS.includes(delay)) return wait(callback, delay / timeoutSpeed);
      if (delay >= 1_000) delays.push(delay);
      return wait(callback, delay / SPEED);
    };
    jest.spyOn(globalThis, 'setTimeout').mockImplementation(shorten);
    await listen();
  });
  afterEach(async () => {
    stop();
    jest.restoreAllMocks();
    await close();
  });

  it('follows the stream beside the status, and keeps the query', async () => {
    for (const [path, expected] of [
      ['/status', '/status/events'],
      ['/status/', '/status/events'],
      ['/status?scope=payments', '/status/events?scope=payments'],
      ['/status/?scope=a/b', '/status/events?scope=a/b'],
    ] as const) {
      watch(path);
      await until('the stream is open', () => requests.includes(expected));
      stop();
    }
  });

  it('calls the listener with the first status and with each change, never twice with the same', async () => {
    watch();
    await until('the stream is open', () => streams.length === 1);
    broadcast(event(OFF) + event(OFF) + ':\n\n');
    broadcast(event(ON));
    await until('it is called', () => seen.length === 2);
    broadcast(event(ON) + 'event: other\n\n' + event({ ...ON, message: 'x' }));
    await until('it is called', () => seen.length === 3);
    expect(seen).toEqual([OFF, ON, { ...ON, message: 'x' }]);
  });

  it('reads events that arrive in pieces, in the middle of a character too', async () => {
    watch();
    await until('the stream is open', () => streams.length === 1);
    const bytes = Buffer.from(event({ active: true, message: 'Zurück' }));
    const middle = bytes.indexOf('ü') + 1;
    for (const piece of [bytes.subarray(0, 3), bytes.subarray(3, middle), bytes.subarray(middle)]) {
      streams[0]!.write(piece);
      await new Promise((resolve) => setImmediate(resolve));
    }
    await until('it is called', () => seen.length === 1);
    expect(seen).toEqual([{ active: true, message: 'Zurück' }]);
  });

  it('reconnects after a stream has ended, and tells only what has changed', async () => {
    watch();
    await until('the stream is open', () => streams.length === 1);
    streams[0]!.end(event(OFF));
    await until('another is open', () => streams.length === 2);
    streams[1]!.write(event(ON));
    await until('it is called', () => seen.length === 2);
    streams[1]!.destroy();
    await until('another is open', () => streams.length === 3);
    streams[2]!.write(event(ON) + event(OFF));
    await until('it is called', () => seen.length === 3);
    expect(getActive()).toEqual([false, true, false]);
    expect(requests).not.toContain('/status');
  });

  it('reconnects where a connection is silent for longer than the heartbeats', async () => {
    watch();
    await until('the stream is open', () => streams.length === 1);
    streams[0]!.write(event(OFF));
    await until('another is open', () => streams.length === 2);
  });

  it.each<[string, Handler]>([
    ['is missing', sendPage(404)],
    ['is replaced by a page with status 200', sendPage(200)],
    ['is held back by a proxy', hang],
    ['ends at once', (response) => response.writeHead(200, { 'content-type': 'text/event-stream' }).end()],
    ['is cut off', disconnect],
    [
      'contains something else',
      (response) => response.writeHead(200, { 'content-type': 'text/event-stream' }).end(event(7)),
    ],
  ])('polls where the stream %s, and tries another one after ten polls', async (_how, handler) => {
    if (handler === hang) timeoutSpeed = 200;
    sendStream = handler;
    sendPoll = sendStatus(OFF);
    watch();
    await until('another stream is tried', () => requests.filter((url) => url === '/status/events').length === 2);
    sendPoll = sendStatus(ON);
    await until('it is called', () => seen.length === 2);
    expect(requests.slice(0, 12)).toEqual(['/status/events', ...Array<string>(10).fill('/status'), '/status/events']);
    expect(getActive()).toEqual([false, true]);
  });

  it.each<[string, Handler]>([
    ['a 503 of a proxy', sendPage(503)],
    ['a page with status 200', sendPage(200)],
    ['other JSON', sendStatus({ ok: true })],
    ['null', sendStatus(null)],
    ['a broken connection', disconnect],
    ['no answer', hang],
  ])('survives %s, waits longer after each failure, and returns to the stream', async (_what, handler) => {
    if (handler === hang) timeoutSpeed = 200;
    sendStream = sendPoll = handler;
    watch();
    await until('it has failed often', () => delays.length > 6);
    [3, 6, 12, 24, 48, 60].forEach((seconds, index) => {
      expect(delays[index]).toBeGreaterThanOrEqual(seconds * 500);
      expect(delays[index]).toBeLessThanOrEqual(seconds * 1500);
    });
    expect(seen).toEqual([]);
    sendStream = openStream;
    sendPoll = sendStatus(ON);
    await until('it is called', () => seen.length === 1);
    await until('a stream is open', () => streams.length === 1);
  });

  it('survives a restart of the server', async () => {
    watch();
    await until('the stream is open', () => streams.length === 1);
    broadcast(event(ON));
    await until('it is called', () => seen.length === 1);
    const before = port;
    await close();
    await until('it has failed twice', () => delays.length > 2);
    streams = [];
    await listen(before);
    sendPoll = sendStatus(ON);
    await until('the stream is open', () => streams.length === 1);
    broadcast(event(ON) + event(OFF));
    await until('it is called', () => seen.length === 2);
    expect(getActive()).toEqual([true, false]);
  });

  it('calls nothing and requests nothing once it is stopped', async () => {
    watch();
    await until('the stream is open', () => streams.length === 1);
    const closed = once(streams[0]!, 'close');
    stop();
    broadcast(event(ON));
    await closed;
    const count = requests.length;
    await new Promise((resolve) => setTimeout(resolve, 30_000));
    expect([seen, requests.length]).toEqual([[], count]);
    stop();
  });
});
