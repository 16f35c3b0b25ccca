import type { IncomingMessage } from 'node:http';
import type { Duplex } from 'node:stream';
import { refuseHandshake } from './handshake-refusal.js';
import { refusedCall } from '../../http/refused-call.js';
import { replaceMethod } from '../../utils/patch-method.js';
import { MAINTENANCE_EVENT, type Client, type SocketLibrary } from './socket-library.js';

/** The parts of `WebSocketServer` and `WebSocket` of the package `ws`. */
interface WsServer {
  /** Set by Nest, which chooses between several servers of one port by it. */
  path?: string;
  options?: { path?: string | null };
  handleUpgrade(request: IncomingMessage, socket: Duplex, head: Buffer, done: (client: object) => void): void;
}
type WsClient = Client & { readyState: number; send(text: string): void; close(code: number, reason: string): void };

const OPEN = 1;
/** "Try again later" (the registry of RFC 6455's close codes). */
const TRY_AGAIN_LATER = 1013;
/** A reason has at most 123 bytes, so the window's own message does not fit for certain. */
const REASON = 'Down for maintenance';

export function isWsServer(server: object): server is WsServer {
  return typeof (server as Partial<WsServer>).handleUpgrade === 'function';
}

/** `@nestjs/platform-ws`. */
export const ws: SocketLibrary = {
  takes: (server) => {
    const { path, options } = server as WsServer;
    const own = path ?? options?.path ?? undefined;
    return (asked) => own === undefined || asked === own;
  },

  doorOf: (server) => server,

  // Nest's own listener on a shared port and that of a server with a port of its own both come this way.
  guardDoor(door, refusalOf, statusCode) {
    replaceMethod(door as WsServer, 'handleUpgrade', (handle) => (request, socket, head, done) => {
      const refusal = refusalOf(request);
      if (refusal) refuseHandshake(socket, refusal, statusCode);
      else handle(request, socket, head, done);
    });
  },

  connectionOf: (client) => client,

  turnAway(clients, refusal) {
    for (const client of clients as WsClient[]) {
      if (client.readyState !== OPEN) continue;
      client.send(JSON.stringify({ event: MAINTENANCE_EVENT, data: refusedCall(refusal) }));
      client.close(TRY_AGAIN_LATER, REASON);
    }
  },
};
