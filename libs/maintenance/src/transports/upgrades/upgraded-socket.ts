import type { IncomingMessage } from 'node:http';
import type { Duplex } from 'node:stream';
import type { Refusal } from '../../policy/refusal.js';
import { patchMethod } from '../../utils/patch-method.js';
import type { Clock } from '../../utils/clock.js';
import { CLOSE_CODE_TRY_AGAIN_LATER, CLOSE_REASON } from '../websockets/close-codes.js';
import { refuseHandshake } from '../refuse-upgrade.js';
import { createCloseFrame, WebSocketFrames } from './websocket-frames.js';

/** How long the client may take to close its side, and the server to finish a frame. */
const CLOSE_TIMEOUT_MS = 2_000;

/** A connection that has left HTTP: a WebSocket, a tunnel, or another protocol of the application. */
export class UpgradedSocket {
  /** The frames of a WebSocket; `null` for another protocol. */
  readonly #frames: WebSocketFrames | null;
  #state: 'open' | 'closing' | 'closed' = 'open';

  constructor(
    readonly request: IncomingMessage,
    readonly socket: Duplex,
    private readonly clock: Clock,
  ) {
    this.#frames = request.headers.upgrade?.toLowerCase() === 'websocket' ? new WebSocketFrames() : null;
    if (this.#frames) this.#trackWrites(this.#frames);
  }

  /** Closes the connection: a WebSocket by a close frame, or by the refusal's status if it is not accepted yet. */
  close(refusal: Refusal, statusCode: number): void {
    if (this.#state !== 'open') return;
    this.#state = 'closing';
    const { socket } = this;
    socket.on('error', () => socket.destroy());
    const frames = this.#frames;
    if (frames && !frames.hasAnswer) {
      this.#state = 'closed';
      return refuseHandshake(socket, refusal, statusCode);
    }
    // The error tells listeners that the client is gone, so that proxies close the other side.
    const cancel = this.clock.wake(() => socket.destroy(new Error(CLOSE_REASON)), CLOSE_TIMEOUT_MS);
    socket.once('close', cancel);
    this.#stopReading();
    if (!frames?.isOpen) this.#end();
    else if (frames.isBetweenFrames) this.#end(createCloseFrame(CLOSE_CODE_TRY_AGAIN_LATER, CLOSE_REASON));
  }

  #end(frame?: Buffer): void {
    this.#state = 'closed';
    this.socket.end(frame);
  }

  // Discards what the client still sends. A pipe stays, so that the application sees the client close its side.
  #stopReading(): void {
    this.socket.removeAllListeners('data');
    this.socket.removeAllListeners('readable');
    this.socket.resume();
  }

  #trackWrites(frames: WebSocketFrames): void {
    patchMethod(this.socket, 'write', (write) => {
      const send = write as (...args: unknown[]) => boolean;
      return (chunk: Uint8Array | string, ...rest: unknown[]) => {
        if (this.#state === 'closed') return discardWrite(rest);
        const bytes = typeof chunk === 'string' ? Buffer.from(chunk, getEncoding(rest)) : chunk;
        const isClosing = this.#state === 'closing';
        const taken = frames.track(bytes, isClosing);
        if (!isClosing) return send(chunk, ...rest);
        const result = send(bytes.subarray(0, taken), ...rest);
        if (!frames.isOpen) this.#end();
        else if (frames.isBetweenFrames) this.#end(createCloseFrame(CLOSE_CODE_TRY_AGAIN_LATER, CLOSE_REASON));
        return result;
      };
    });
  }
}

function getEncoding([encoding]: unknown[]): BufferEncoding {
  return typeof encoding === 'string' ? (encoding as BufferEncoding) : 'utf8';
}

/** Discards a write, and calls back as a stream does. */
function discardWrite(rest: unknown[]): boolean {
  const done = rest.find((argument) => typeof argument === 'function') as (() => void) | undefined;
  if (done) process.nextTick(done);
  return true;
}
