import type { IncomingMessage } from 'node:http';
import type { WebSocketAdapter } from '@nestjs/common';
import type { ApplicationConfig } from '@nestjs/core';
import type { Refusal } from '../../policy/refusal.js';
import {
  getConnectionRules,
  findGatewaysAt,
  normalizeNamespace,
  type GatewayAddress,
  type Gateway,
} from './gateway-rules.js';
import type { OpenSocket, OpenSockets } from './open-sockets.js';
import { patchMethod } from '../../utils/patch-method.js';
import { isSocketIoServer, socketIoLibrary } from './socket-io-library.js';
import type { GatewayGroup, SocketPolicy } from './socket-policy.js';
import type { SocketMessages } from './socket-messages.js';
import type { SocketClient, SocketLibrary } from './socket-library.interface.js';
import type { TransportDeps } from '../transport-deps.interface.js';
import { isWsServer, wsLibrary } from './ws-library.js';

type SocketDecision = Refusal | null | Promise<Refusal | null>;
type Connect = (client: SocketClient, ...rest: unknown[]) => unknown;
/** `ws` holds messages back until it is known whether anybody may answer them. */
type Pausable = SocketClient & { pause?(): void; resume?(): void };

export interface SocketServersDeps {
  config: ApplicationConfig;
  gateways: readonly Gateway[];
  socketPolicy: SocketPolicy;
  openSockets: OpenSockets;
  messages: SocketMessages;
  statusCode: number;
  upgrades: TransportDeps['upgrades'];
  /** Whether handshakes and newcomers are refused. */
  shouldRefuseConnections: boolean;
}

/** Hooks into the adapter, from which Nest gets every server and every client. */
export class SocketServers {
  readonly #undo: (() => void)[] = [];
  readonly #adapters = new WeakSet<object>();
  /** By server or namespace, and by what takes the handshakes of several. */
  readonly #groups = new WeakMap<object, GatewayGroup>();
  /** Of those who came while a window was active. */
  readonly #decisions = new WeakMap<SocketClient, SocketDecision>();

  constructor(private readonly deps: SocketServersDeps) {}

  /** Waits for the adapter: the one from `main.ts`, or Nest's default when the first gateway needs it. */
  attach(): void {
    const { config } = this.deps;
    this.#undo.push(
      patchMethod(config, 'setIoAdapter', (set) => (adapter) => {
        this.#patchAdapter(adapter);
        set(adapter);
      }),
    );
    const given = config.getIoAdapter() as WebSocketAdapter | null;
    if (given) this.#patchAdapter(given);
  }

  detach(): void {
    for (const undo of this.#undo.splice(0).reverse()) undo();
  }

  #patchAdapter(adapter: WebSocketAdapter): void {
    if (this.#adapters.has(adapter)) return;
    this.#adapters.add(adapter);
    this.#undo.push(
      patchMethod(adapter, 'create', (create) => (port: number, options?: Omit<GatewayAddress, 'port'>) => {
        const server = create(port, options) as object;
        this.#registerServer(server, { port, path: options?.path, namespace: normalizeNamespace(options?.namespace) });
        return server;
      }),
      patchMethod(adapter, 'bindClientConnect', (bind) => (server: object, connect: Connect) => {
        bind(server, (client: SocketClient, ...rest: unknown[]) =>
          this.#decideAndConnect(this.#registerClient(adapter, server, client, rest[0]), () =>
            connect(client, ...rest),
          ),
        );
      }),
      patchMethod(adapter, 'bindMessageHandlers', (bind) => (client: SocketClient, handlers, transform) => {
        const socket = this.deps.openSockets.find(client);
        bind(client, socket ? this.deps.messages.trackHandlers(socket, handlers) : handlers, transform);
      }),
    );
  }

  #registerServer(server: object, address: GatewayAddress): void {
    const { gateways, socketPolicy: gate, statusCode, shouldRefuseConnections: guardsEntrances, upgrades } = this.deps;
    const library = findLibrary(server);
    // Several gateways may share a server of the application's own port.
    if (address.port === 0 && !this.#groups.has(server)) {
      const own = typeof address.path === 'string' ? address.path : '/';
      const takes = library?.createPathMatcher(server) ?? ((path) => path === own);
      upgrades.delegate((request) => takes(parsePathname(request.url ?? '/')));
    }
    const door = library?.getHandshakeServer(server) ?? null;
    const [isNewServer, isNewDoor] = [!this.#groups.has(server), door !== null && !this.#groups.has(door)];
    const within = this.#extendGroup(server, findGatewaysAt(gateways, address));
    // A handshake knows of no namespace, so that all of them count.
    const atDoor =
      door && this.#extendGroup(door, findGatewaysAt(gateways, { port: address.port, path: address.path }));
    if (!library || !guardsEntrances) return;
    if (isNewDoor && door && atDoor) {
      library.guardHandshakes(door, (handshake) => gate.findHandshakeRefusal(atDoor, handshake), statusCode);
      library.guardFiles?.(server, (request) => gate.findFileRefusal(request), statusCode);
    }
    if (isNewServer) {
      library.guardNamespace?.(server, (client) =>
        this.#decide({ client, group: within, handshake: client.request ?? null, library }),
      );
    }
  }

  #extendGroup(place: object, found: readonly Gateway[]): GatewayGroup {
    let entrance = this.#groups.get(place);
    if (!entrance) this.#groups.set(place, (entrance = { gateways: [], rules: [] }));
    entrance.gateways = [...new Set([...entrance.gateways, ...found])];
    entrance.rules = getConnectionRules(entrance.gateways);
    return entrance;
  }

  #registerClient(adapter: WebSocketAdapter, server: object, client: SocketClient, handshake: unknown): OpenSocket {
    const { openSockets: open, gateways } = this.deps;
    const known = open.find(client);
    // Several gateways on one server are told of each client, one after the other.
    if (known) return known;
    const socket: OpenSocket = {
      client,
      // A server that the adapter had from elsewhere: nobody knows which gateways stand there.
      group: this.#groups.get(server) ?? { gateways, rules: gateways.flatMap(({ rules }) => rules) },
      handshake: (handshake as IncomingMessage | undefined) ?? client.request ?? null,
      library: findLibrary(server),
    };
    open.add(socket);
    adapter.bindClientDisconnect?.(client, () => open.delete(socket));
    return socket;
  }

  #decideAndConnect(socket: OpenSocket, connect: () => unknown): unknown {
    const decision = this.deps.shouldRefuseConnections && socket.library ? this.#decide(socket) : null;
    if (!(decision instanceof Promise)) return this.#connectOrRefuse(socket, decision, connect);
    const client: Pausable = socket.client;
    client.pause?.();
    return decision.then((late) => {
      client.resume?.();
      return this.#connectOrRefuse(socket, late, connect);
    });
  }

  #connectOrRefuse(socket: OpenSocket, refusal: Refusal | null, connect: () => unknown): unknown {
    return refusal ? this.deps.openSockets.disconnect(socket, refusal) : connect();
  }

  #decide({ client, group: entrance, handshake }: OpenSocket): SocketDecision {
    const decided = this.#decisions.get(client);
    if (decided !== undefined) return decided;
    const decision = this.deps.socketPolicy.findSocketRefusal(entrance, client, handshake);
    if (decision === null && this.deps.socketPolicy.isInactive) return null;
    this.#decisions.set(client, decision);
    if (decision instanceof Promise) void decision.then((late) => this.#decisions.set(client, late));
    return decision;
  }
}

function findLibrary(server: object): SocketLibrary | null {
  if (isSocketIoServer(server)) return socketIoLibrary;
  return isWsServer(server) ? wsLibrary : null;
}

// As Nest's adapter for `ws` reads it.
function parsePathname(url: string): string {
  return URL.canParse(url, 'ws://localhost') ? new URL(url, 'ws://localhost').pathname : url;
}
