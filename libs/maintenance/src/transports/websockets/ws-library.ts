import type { IncomingMessage } from 'node:http';
import type { Duplex } from 'node:stream';
import { CLOSE_CODE_TRY_AGAIN_LATER, CLOSE_REASON } from './close-codes.js';
import { refuseHandshake } from '../refuse-upgrade.js';
import { createRefusalPayload } from '../../http/refusal-payload.js';
import { patchMethod } from '../../utils/patch-method.js';
import { SOCKET_EVENT_NAME, type SocketClient, type SocketLibrary } from './socket-library.interface.js';

/** The members of `WebSocketServer` of the package `ws` that are used here. */
interface WsServer {
  /** Set by Nest, which selects one of several servers of a port by it. */
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

/** Whether a server of the WebSocket adapter is one of `ws`. */
export function isWsServer(server: object): server is WsServer {
  return typeof (server as Partial<WsServer>).handleUpgrade === 'function';
}

/** Supports `@nestjs/platform-ws`. */
export const wsLibrary: SocketLibrary = {
  createPathMatcher: (server) => {
    const { path, options } = server as WsServer;
    const serverPath = path ?? options?.path ?? undefined;
    return (requestPath) => serverPath === undefined || requestPath === serverPath;
  },

  getHandshakeServer: (server) => server,

  // Nest's listener on a shared port and the listener of a server with its own port both call `handleUpgrade`.
  guardHandshakes(handshakeServer, findRefusal, statusCode) {
    patchMethod(handshakeServer as WsServer, 'handleUpgrade', (handleUpgrade) => (request, socket, head, done) => {
      const refusal = findRefusal(request);
      if (refusal) refuseHandshake(socket, refusal, statusCode);
      else handleUpgrade(request, socket, head, done);
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
