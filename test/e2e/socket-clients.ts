import { once } from 'node:events';
import type { IncomingHttpHeaders } from 'node:http';
import { io, type ManagerOptions, type Socket, type SocketOptions } from 'socket.io-client';
import WebSocket from 'ws';
import { TIMEOUT_MS } from '../tools/waiting.js';
import { call } from './client.js';

export type Library = 'ws' | 'socket.io';
export const LIBRARIES: Library[] = ['ws', 'socket.io'];

/** Untyped data of the server: the expectations check it. */
export type Received = ReturnType<typeof JSON.parse>;

/** Records the events of a client, so that tests can wait for them instead of sleeping. */
export class EventLog {
  readonly events: { name: string; data: Received }[] = [];
  readonly #waiting = new Set<() => void>();

  add(name: string, data?: unknown): void {
    this.events.push({ name, data });
    for (const check of [...this.#waiting]) check();
  }

  all(name: string): Received[] {
    return this.events.filter((event) => event.name === name).map(({ data }) => data);
  }

  /** Waits for the event number `count` of this name and returns its data. */
  async next(name: string, count = 1): Promise<Received> {
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => {
        this.#waiting.delete(check);
        reject(new Error(`no ${name} (number ${count}), but ${JSON.stringify(this.events)}`));
      }, TIMEOUT_MS);
      const check = (): void => {
        if (this.all(name).length < count) return;
        clearTimeout(timer);
        this.#waiting.delete(check);
        resolve(this.all(name)[count - 1]);
      };
      this.#waiting.add(check);
      check();
    });
  }
}

/** A connection of the real client of a library. */
export interface Peer {
  seen: EventLog;
  send(event: string, data?: unknown): void;
  close(): Promise<void>;
}

export interface PeerOptions {
  headers?: Record<string, string>;
  transports?: ('polling' | 'websocket')[];
  path?: string;
}

export function wsPeer(url: string, { headers }: PeerOptions = {}): Peer & { socket: WebSocket } {
  const seen = new EventLog();
  const socket = new WebSocket(url, { headers });
  socket.on('open', () => seen.add('connect'));
  socket.on('message', (text: Buffer) => {
    const { event, data } = JSON.parse(text.toString());
    seen.add(event, data);
  });
  socket.on('close', (code, reason) => seen.add('close', { code, reason: reason.toString() }));
  socket.on('unexpected-response', (_request, { statusCode }) => {
    seen.add('refused', statusCode);
    socket.terminate();
  });
  socket.on('error', () => undefined);
  return {
    seen,
    socket,
    send: (event, data) => socket.send(JSON.stringify({ event, data })),
    close: async () => {
      if (socket.readyState === WebSocket.CLOSED) return;
      const closed = once(socket, 'close').catch(() => undefined);
      socket.terminate();
      await closed;
    },
  };
}

export interface IoPeer extends Peer {
  socket: Socket;
  /** Joins another namespace over the same connection. */
  join(namespace: string): { socket: Socket; seen: EventLog };
}

export function ioPeer(url: string, options: PeerOptions = {}): IoPeer {
  const seen = new EventLog();
  const { headers, transports = ['websocket'], path = '/socket.io' } = options;
  const given: Partial<ManagerOptions & SocketOptions> = {
    ...{ transports, path, forceNew: true, reconnectionDelay: 20, reconnectionDelayMax: 40 },
    extraHeaders: headers,
  };
  const socket = io(url, given);
  const sockets = [socket];
  recordEvents(socket, seen);
  return {
    seen,
    socket,
    send: (event, data) => void socket.emit(event, data),
    join: (namespace) => {
      const joined = { socket: socket.io.socket(namespace), seen: new EventLog() };
      sockets.push(joined.socket);
      recordEvents(joined.socket, joined.seen);
      return joined;
    },
    close: async () => sockets.forEach((each) => void each.close()),
  };
}

function recordEvents(socket: Socket, seen: EventLog): void {
  socket.on('connect', () => seen.add('connect'));
  socket.on('disconnect', (reason) => seen.add('close', reason));
  socket.on('connect_error', (error: Received) => {
    if (error.data) seen.add('connect_error', error);
    else seen.add('refused', getStatus(error));
  });
  socket.onAny((event: string, data: unknown) => seen.add(event, data));
}

/** Long polling exposes the response status; the ws client only mentions it in the error message. */
function getStatus(error: Received): number {
  return error.description?.constructor.name === 'ErrorEvent'
    ? Number(/\d+$/.exec(error.description.message)?.[0])
    : error.description;
}

/** The HTTP response to a handshake: 101 or 200 if it succeeds. */
export interface HandshakeReply {
  status: number;
  headers: IncomingHttpHeaders;
  body: Received;
}

/** Sends a WebSocket upgrade and returns the response, most of which the clients hide. */
export function upgrade(port: number, path: string, headers: Record<string, string> = {}): Promise<HandshakeReply> {
  return new Promise((resolve, reject) => {
    const socket = new WebSocket(`ws://127.0.0.1:${port}${path}`, { headers });
    socket.on('unexpected-response', (_request, response) => {
      const chunks: Buffer[] = [];
      response.on('data', (chunk: Buffer) => chunks.push(chunk));
      response.on('end', () => {
        const text = Buffer.concat(chunks).toString();
        resolve({ status: response.statusCode ?? 0, headers: response.headers, body: text && JSON.parse(text) });
      });
    });
    socket.on('upgrade', ({ headers }) => resolve({ status: 101, headers, body: null }));
    socket.on('open', () => socket.terminate());
    socket.on('error', (error) => (socket.readyState === WebSocket.CONNECTING ? undefined : reject(error)));
  });
}

/** Sends the first request of long polling. */
export async function poll(port: number, path: string, headers: Record<string, string> = {}): Promise<HandshakeReply> {
  const reply = await call(port, `${path}/?EIO=4&transport=polling`, { headers });
  const isJson = reply.headers['content-type'] === 'application/problem+json';
  return { status: reply.status, headers: reply.headers, body: isJson ? reply.json() : reply.text };
}
