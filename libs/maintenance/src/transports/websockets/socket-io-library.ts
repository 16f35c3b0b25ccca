import type { ServerResponse } from 'node:http';
import type { Duplex } from 'node:stream';
import type { EngineIoRequest, EngineIoServer, SocketIoFileServer } from '../../nest-internals.js';
import { refuseHandshake, refuseRequest } from './refuse-handshake.js';
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
/** The parts of `Server` and `Namespace`. A namespace leads to its server, and has a map of its sockets. */
interface IoServer extends Namespace, SocketIoFileServer {
  engine?: Engine;
  server?: SocketIoFileServer & { engine?: Engine; path(): string };
  path(): string;
  /** Of a server: its main namespace. */
  sockets: Namespace;
}
type IoClient = SocketClient & {
  conn: { close(): void };
  emit(event: string, data: unknown): void;
  disconnect(): void;
};

export function isSocketIoServer(server: object): server is IoServer {
  return getEngine(server) !== undefined;
}

/** `@nestjs/platform-socket.io`. */
export const socketIoLibrary: SocketLibrary = {
  createPathMatcher(server) {
    const whole = server as IoServer;
    const hasSlash = getEngine(server)?.opts.addTrailingSlash !== false;
    const start = `${(whole.server ?? whole).path()}${hasSlash ? '/' : ''}`;
    return (path) => path.startsWith(start);
  },

  getHandshakeServer(server) {
    const engine = getEngine(server);
    // Whoever adds a middleware shuts WebTransport off, so there only the namespaces refuse.
    return engine && !engine.opts.transports?.includes('webtransport') ? engine : null;
  },

  guardFiles(server, refusalOf, statusCode) {
    const whole = server as IoServer;
    const files: SocketIoFileServer = whole.server ?? whole;
    if (!files.serve) return;
    patchMethod(files, 'serve', (serve) => (request, response) => {
      void refusalOf(request).then((refusal) => {
        if (refusal) refuseRequest(response, refusal, statusCode);
        else serve!(request, response);
      });
    });
  },

  guardHandshakes(door, refusalOf, statusCode) {
    (door as Engine).use((request, response, next) => {
      // A session that has been admitted goes on: long polling asks again and again, and may be upgraded.
      const refusal = request._query?.sid ? null : refusalOf(request);
      if (!refusal) next();
      else if (isServerResponse(response)) refuseRequest(response, refusal, statusCode);
      else refuseHandshake(response.socket, refusal, statusCode);
    });
  },

  guardNamespace(server, refusalOf) {
    const namespace = getNamespace(server as IoServer);
    const others: Middleware[] = [];
    // The application's own middleware comes first, as it may find out who is asking.
    namespace.use((socket, next) =>
      runMiddleware(others, socket, (error) => (error ? next(error) : refuse(socket, next))),
    );
    patchMethod(namespace, 'use', () => (middleware) => {
      others.push(middleware);
      return namespace;
    });
    function refuse(socket: SocketClient, next: Next): void {
      const refusal = refusalOf(socket);
      if (refusal instanceof Promise) void refusal.then((late) => next(toError(late)));
      else next(toError(refusal));
    }
    function toError(refusal: Awaited<ReturnType<typeof refusalOf>>): Error | undefined {
      if (!refusal) return undefined;
      const data = createRefusalPayload(refusal);
      return Object.assign(new Error(data.message), { data });
    }
  },

  getConnection: (client) => (client as IoClient).conn,

  disconnect(clients, refusal, isAll) {
    const all = clients as readonly IoClient[];
    for (const client of all) client.emit(SOCKET_EVENT_NAME, createRefusalPayload(refusal));
    // A client that is disconnected by the server takes it as final; one whose connection is closed comes back by itself.
    if (isAll) all[0]?.conn.close();
    else for (const client of all) client.disconnect();
  },
};

function getEngine(server: object): Engine | undefined {
  const { engine, server: whole } = server as IoServer;
  return whole?.engine ?? engine;
}

function getNamespace(server: IoServer): Namespace {
  return server.server ? server : server.sockets;
}

// For an upgrade, engine.io has a stand-in that can't answer.
function isServerResponse(response: ServerResponse | { socket: Duplex }): response is ServerResponse {
  return 'writableEnded' in response;
}

function runMiddleware([first, ...rest]: readonly Middleware[], socket: SocketClient, done: Next): void {
  if (!first) return done();
  first(socket, (error) => (error ? done(error) : runMiddleware(rest, socket, done)));
}
