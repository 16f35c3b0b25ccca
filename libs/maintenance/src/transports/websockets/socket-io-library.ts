import type { ServerResponse } from 'node:http';
import type { Duplex } from 'node:stream';
import type { EngineIoRequest, EngineIoServer, SocketIoFileServer } from '../../nest-internals.js';
import { refuseHandshake, refuseRequest } from '../refuse-upgrade.js';
import { createRefusalPayload } from '../../http/refusal-payload.js';
import { patchMethod } from '../../utils/patch-method.js';
import { SOCKET_EVENT_NAME, type SocketClient, type SocketLibrary } from './socket-library.interface.js';

type Next = (error?: Error) => void;
type Middleware = (socket: SocketClient, next: Next) => void;
type EngineMiddleware = (request: EngineIoRequest, response: ServerResponse | { socket: Duplex }, next: Next) => void;
type Engine = EngineIoServer<EngineMiddleware>;
interface Namespace {
  use(middleware: Middleware): unknown;
}
/** The members of `Server` and `Namespace` that are used here. Only a namespace has `server`. */
interface IoServer extends Namespace, SocketIoFileServer {
  engine?: Engine;
  server?: SocketIoFileServer & { engine?: Engine; path(): string };
  path(): string;
  /** On a server: its main namespace. */
  sockets: Namespace;
}
type IoClient = SocketClient & {
  conn: { close(): void };
  emit(event: string, data: unknown): void;
  disconnect(): void;
};

/** Whether a server of the WebSocket adapter, or a namespace, is one of socket.io. */
export function isSocketIoServer(server: object): server is IoServer {
  return getEngine(server) !== undefined;
}

/** Supports `@nestjs/platform-socket.io`. */
export const socketIoLibrary: SocketLibrary = {
  createPathMatcher(server) {
    const ioServer = server as IoServer;
    const hasSlash = getEngine(server)?.opts.addTrailingSlash !== false;
    const prefix = `${(ioServer.server ?? ioServer).path()}${hasSlash ? '/' : ''}`;
    return (path) => path.startsWith(prefix);
  },

  getHandshakeServer(server) {
    const engine = getEngine(server);
    // A middleware of engine.io disables WebTransport. With WebTransport, only the namespaces refuse.
    return engine && !engine.opts.transports?.includes('webtransport') ? engine : null;
  },

  guardFiles(server, findRefusal, statusCode) {
    const ioServer = server as IoServer;
    const files: SocketIoFileServer = ioServer.server ?? ioServer;
    if (!files.serve) return;
    patchMethod(files, 'serve', (serve) => (request, response) => {
      void findRefusal(request).then((refusal) => {
        if (refusal) refuseRequest(response, refusal, statusCode);
        else serve!(request, response);
      });
    });
  },

  guardHandshakes(handshakeServer, findRefusal, statusCode) {
    (handshakeServer as Engine).use((request, response, next) => {
      // Requests with a session id belong to an admitted session: long polling repeats them, and an upgrade has one
      // too.
      const refusal = request._query?.sid ? null : findRefusal(request);
      if (!refusal) next();
      else if (isServerResponse(response)) refuseRequest(response, refusal, statusCode);
      else refuseHandshake(response.socket, refusal, statusCode);
    });
  },

  guardNamespace(server, findRefusal) {
    const namespace = getNamespace(server as IoServer);
    const applicationMiddleware: Middleware[] = [];
    // The application's middleware runs first, because it may authenticate the user.
    namespace.use((socket, next) =>
      runMiddleware(applicationMiddleware, socket, (error) => (error ? next(error) : refuse(socket, next))),
    );
    patchMethod(namespace, 'use', () => (middleware) => {
      applicationMiddleware.push(middleware);
      return namespace;
    });
    function refuse(socket: SocketClient, next: Next): void {
      const refusal = findRefusal(socket);
      if (refusal instanceof Promise) void refusal.then((resolved) => next(toError(resolved)));
      else next(toError(refusal));
    }
    function toError(refusal: Awaited<ReturnType<typeof findRefusal>>): Error | undefined {
      if (!refusal) return undefined;
      const data = createRefusalPayload(refusal);
      return Object.assign(new Error(data.message), { data });
    }
  },

  getConnection: (client) => (client as IoClient).conn,

  disconnect(clients, refusal, isAll) {
    const ioClients = clients as readonly IoClient[];
    for (const client of ioClients) client.emit(SOCKET_EVENT_NAME, createRefusalPayload(refusal));
    // A client reconnects if its connection closes, but not if the server disconnects its socket.
    if (isAll) ioClients[0]?.conn.close();
    else for (const client of ioClients) client.disconnect();
  },
};

function getEngine(server: object): Engine | undefined {
  const { engine, server: whole } = server as IoServer;
  return whole?.engine ?? engine;
}

function getNamespace(server: IoServer): Namespace {
  return server.server ? server : server.sockets;
}

// For an upgrade, engine.io passes a stand-in that can't send a response.
function isServerResponse(response: ServerResponse | { socket: Duplex }): response is ServerResponse {
  return 'writableEnded' in response;
}

function runMiddleware([first, ...rest]: readonly Middleware[], socket: SocketClient, done: Next): void {
  if (!first) return done();
  first(socket, (error) => (error ? done(error) : runMiddleware(rest, socket, done)));
}
