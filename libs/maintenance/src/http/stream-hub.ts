import type { ServerResponse } from 'node:http';
import type { Clock } from '../utils/clock.js';
import type { HttpIntegration } from './http-integration.js';

/** How often each stream gets a comment: proxies close connections on which nothing passes, many after 60 s. */
const HEARTBEAT_INTERVAL_MS = 15_000;
/** A client for which more bytes than these wait does not read: it is disconnected. */
const MAX_BUFFERED_BYTES = 262_144;
/** How long a client has time to read the rest when the application shuts down. */
const SHUTDOWN_TIMEOUT_MS = 500;
/** How long a client waits before it reconnects: each another time, since all are disconnected at the same moment. */
const MIN_RECONNECT_MS = 1_000;
const MAX_RECONNECT_MS = 5_000;

const HEARTBEAT = Buffer.from(':\n\n');
const NO_CONTENT = Buffer.alloc(0);

/** One stream of server-sent events to one client. */
export interface EventStream {
  /** Sends an event, or several; does nothing once the stream is closed. The buffer may be that of other streams. */
  send(event: Buffer): void;
  /** Ends the stream. The client reconnects. */
  end(): void;
}

/** Encodes an event once for all streams. */
export function encodeEvent(data: unknown, type?: string): Buffer {
  const name = type === undefined ? '' : `event: ${type}\n`;
  return Buffer.from(`${name}data: ${JSON.stringify(data)}\n\n`);
}

/**
 * Keeps streams of server-sent events open, of any number of clients: heartbeats, back-pressure, shutdown.
 *
 * It writes to Node's response, so that an event is encoded once and no hook or interceptor sees it. A drain never
 * waits for its streams as long as the handler is exempt, as admin endpoints are.
 *
 * @example
 * ```ts
 * @Get('events')
 * events(@Res() response: unknown): void {
 *   const stream = this.hub.open(response, () => this.streams.delete(stream));
 *   this.streams.add(stream);
 *   stream.send(encodeEvent(this.createStatus()));
 * }
 * ```
 */
export class StreamHub {
  readonly #streams = new Set<OpenStream>();
  #cancelHeartbeat: (() => void) | null = null;

  /** @param shutdown - aborts when the application begins to shut down, which would wait for open streams */
  constructor(
    private readonly httpIntegration: Pick<HttpIntegration, 'takeOver'>,
    private readonly clock: Clock,
    private readonly shutdown: AbortSignal,
  ) {
    shutdown.addEventListener('abort', () => this.#endAll(), { once: true });
  }

  /** The number of open streams. */
  get size(): number {
    return this.#streams.size;
  }

  /**
   * Answers a request with a stream.
   *
   * @param response - the response as a handler with `@Res()` gets it
   * @param onClose - called once, later, when the client or the application has closed the stream
   */
  open(response: unknown, onClose: () => void): EventStream {
    const raw = this.httpIntegration.takeOver(response);
    const stream = new OpenStream(raw, () => {
      this.#streams.delete(stream);
      onClose();
    });
    this.#streams.add(stream);
    stream.start();
    if (this.shutdown.aborted || raw.req.method === 'HEAD') stream.end();
    this.#scheduleHeartbeat();
    return stream;
  }

  #scheduleHeartbeat(): void {
    if (this.#cancelHeartbeat || this.#streams.size === 0) return;
    this.#cancelHeartbeat = this.clock.wake(() => {
      this.#cancelHeartbeat = null;
      for (const stream of this.#streams) stream.send(HEARTBEAT);
      this.#scheduleHeartbeat();
    }, HEARTBEAT_INTERVAL_MS);
  }

  #endAll(): void {
    this.#cancelHeartbeat?.();
    this.#cancelHeartbeat = null;
    const streams = [...this.#streams];
    for (const stream of streams) stream.end();
    // The server would wait for ever for clients that don't read.
    setTimeout(() => streams.forEach((stream) => stream.destroy()), SHUTDOWN_TIMEOUT_MS).unref();
  }
}

class OpenStream implements EventStream {
  #isClosed = false;

  constructor(
    private readonly response: ServerResponse,
    private readonly onClose: () => void,
  ) {}

  start(): void {
    const { response } = this;
    const onClose = (): void => this.#close();
    response.on('close', onClose);
    // Without a listener, a write after the client is gone would end the process.
    response.on('error', onClose);
    response.statusCode = 200;
    response.setHeader('Content-Type', 'text/event-stream');
    // Compression would hold events back; nginx would buffer them.
    response.setHeader('Cache-Control', 'no-store, no-transform');
    response.setHeader('X-Accel-Buffering', 'no');
    response.removeHeader('Content-Length');
    // Node closes the connection with the stream then, and a server that shuts down need not wait for it.
    if (response.req.httpVersionMajor === 1) response.setHeader('Connection', 'close');
    const retry = MIN_RECONNECT_MS + Math.random() * (MAX_RECONNECT_MS - MIN_RECONNECT_MS);
    this.send(Buffer.from(`retry: ${Math.round(retry)}\n\n`));
  }

  send(event: Buffer): void {
    if (this.#isClosed) return;
    const { response } = this;
    // A response that waits behind another one of its connection emits nothing when the client disconnects.
    if (response.destroyed || response.req.socket.destroyed || response.writableLength > MAX_BUFFERED_BYTES)
      return this.destroy();
    response.write(event);
  }

  end(): void {
    if (this.#isClosed) return;
    this.#close();
    this.response.end(NO_CONTENT);
  }

  /** Disconnects the client, which need not read. */
  destroy(): void {
    this.#close();
    if (!this.response.destroyed) this.response.destroy();
  }

  #close(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    // The caller may not have got the stream yet.
    queueMicrotask(this.onClose);
  }
}
