import type { IncomingMessage } from 'node:http';
import type { Duplex } from 'node:stream';
import { refuseHandshake } from './refuse-handshake.js';
import { createRefusalPayload } from '../../http/refusal-payload.js';
import { patchMethod } from '../../utils/patch-method.js';
import { SOCKET_EVENT_NAME, type SocketClient, type SocketLibrary } from './socket-library.interface.js';

/** The parts of `WebSocketServer` and `WebSocket` of the package `ws`. */
interface WsServer {
  /** Set by Nest, which chooses between several servers of one port by it. */
  path?: string;
  options?: { path?: string | null };
  handleUpgrade(request: IncomingMessage, socket: Duplex, head: Buffer, done: (client: object) => void): void;
}
type WsClient = SocketClient & {
  readyState: number;
  send(text: string): void;
  close(code: number, reason: string): void;
};

const READY_STATE_OPEN = 1;
/** "Try again later" (the registry of RFC 6455's close codes). */
const CLOSE_CODE_TRY_AGAIN_LATER = 1013;
/** A reason has at most 123 bytes, so the window's own message does not fit for certain. */
const CLOSE_REASON = 'Down for maintenance';

export function isWsServer(server: object): server is WsServer {
  return typeof (server as Partial<WsServer>).handleUpgrade === 'function';
}

/** `@nestjs/platform-ws`. */
export const wsLibrary: SocketLibrary = {
  createPathMatcher: (server) => {
    const { path, options } = server as WsServer;
    const own = path ?? options?.path ?? undefined;
    return (asked) => own === undefined || asked === own;
  },

  getHandshakeServer: (server) => server,

  // Nest's own listener on a shared port and that of a server with a port of its own both come this way.
  guardHandshakes(door, refusalOf, statusCode) {
    patchMethod(door as WsServer, 'handleUpgrade', (handle) => (request, socket, head, done) => {
      const refusal = refusalOf(request);
      if (refusal) refuseHandshake(socket, refusal, statusCode);
      else handle(request, socket, head, done);
    });
  },

  getConnection: (client) => client,

  disconnect(clients, refusal) {
    for (const client of clients as WsClient[]) {
      if (client.readyState !== READY_STATE_OPEN) continue;
      client.send(JSON.stringify({ event: SOCKET_EVENT_NAME, data: createRefusalPayload(refusal) }));
      client.close(CLOSE_CODE_TRY_AGAIN_LATER, CLOSE_REASON);
    }
  },
};
