import type { IncomingMessage } from 'node:http';
import type { WebSocketAdapter } from '@nestjs/common';
import type { ApplicationConfig } from '@nestjs/core';
import type { Refusal } from '../../policy/refusal.js';
import { describeRoute, publishRefusal, type RefusedCallOrigin } from '../../policy/refusal-channel.js';
import {
  formatGatewayNames,
  getConnectionRules,
  findGatewaysAt,
  normalizeNamespace,
  type GatewayAddress,
  type Gateway,
} from './gateways.js';
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
/** A client of `ws`, which can keep its messages back until its socket is admitted. */
type PausableClient = SocketClient & { pause?(): void; resume?(): void };

/** The dependencies of {@link SocketServers}. */
export interface SocketServersDeps {
  config: ApplicationConfig;
  gateways: readonly Gateway[];
  socketPolicy: SocketPolicy;
  openSockets: OpenSockets;
  messages: SocketMessages;
  statusCode: number;
  upgrades: TransportDeps['upgrades'];
  /** Whether to refuse handshakes and new clients, not only messages. */
  shouldRefuseConnections: boolean;
}

/** Patches the WebSocket adapter, through which Nest creates every server and receives every client. */
export class SocketServers {
  readonly #undo: (() => void)[] = [];
  readonly #adapters = new WeakSet<object>();
  /** By server or namespace, and by the object that takes the handshakes of several of them. */
  readonly #groups = new WeakMap<object, GatewayGroup>();
  /** By client, if it connected while a window was active. */
  readonly #decisions = new WeakMap<SocketClient, SocketDecision>();

  constructor(private readonly deps: SocketServersDeps) {}

  /** Patches the adapter from `main.ts`, or Nest's default as soon as the first gateway needs it. */
  attach(): void {
    const { config } = this.deps;
    this.#undo.push(
      patchMethod(config, 'setIoAdapter', (set) => (adapter) => {
        this.#patchAdapter(adapter);
        set(adapter);
      }),
    );
    const adapter = config.getIoAdapter() as WebSocketAdapter | null;
    if (adapter) this.#patchAdapter(adapter);
  }

  /** Restores the adapter. */
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
    const { gateways, socketPolicy, statusCode, shouldRefuseConnections, upgrades } = this.deps;
    const library = findLibrary(server);
    // Several gateways may share a server on the application's port.
    if (address.port === 0 && !this.#groups.has(server)) {
      const serverPath = typeof address.path === 'string' ? address.path : '/';
      const matchesPath = library?.createPathMatcher(server) ?? ((path) => path === serverPath);
      upgrades.delegate((request) => matchesPath(parsePathname(request.url ?? '/')));
    }
    const handshakeServer = library?.getHandshakeServer(server) ?? null;
    const isNewServer = !this.#groups.has(server);
    const isNewHandshakeServer = handshakeServer !== null && !this.#groups.has(handshakeServer);
    const group = this.#extendGroup(server, findGatewaysAt(gateways, address));
    // A handshake names no namespace, so the gateways of all namespaces count.
    const { port, path } = address;
    const handshakeGroup =
      handshakeServer && this.#extendGroup(handshakeServer, findGatewaysAt(gateways, { port, path }));
    if (!library || !shouldRefuseConnections) return;
    if (isNewHandshakeServer && handshakeGroup) {
      library.guardHandshakes(
        handshakeServer,
        (handshake) => this.#publish(socketPolicy.findHandshakeRefusal(handshakeGroup, handshake), handshakeGroup),
        statusCode,
      );
      library.guardFiles?.(server, (request) => this.#findFileRefusal(request), statusCode);
    }
    if (isNewServer) {
      library.guardNamespace?.(server, (client) =>
        this.#decideAndPublish({ client, group, handshake: client.request ?? null, library }),
      );
    }
  }

  #extendGroup(server: object, gateways: readonly Gateway[]): GatewayGroup {
    let group = this.#groups.get(server);
    if (!group) this.#groups.set(server, (group = { gateways: [], rules: [] }));
    group.gateways = [...new Set([...group.gateways, ...gateways])];
    group.rules = getConnectionRules(group.gateways);
    return group;
  }

  #registerClient(adapter: WebSocketAdapter, server: object, client: SocketClient, handshake: unknown): OpenSocket {
    const { openSockets, gateways } = this.deps;
    const known = openSockets.find(client);
    // Nest passes each client to all gateways of its server, one after the other.
    if (known) return known;
    const socket: OpenSocket = {
      client,
      // A custom adapter may bring a server that Nest did not create. Any gateway may belong to it.
      group: this.#groups.get(server) ?? { gateways, rules: gateways.flatMap(({ rules }) => rules) },
      handshake: (handshake as IncomingMessage | undefined) ?? client.request ?? null,
      library: findLibrary(server),
    };
    openSockets.add(socket);
    adapter.bindClientDisconnect?.(client, () => openSockets.delete(socket));
    return socket;
  }

  #decideAndConnect(socket: OpenSocket, connect: () => unknown): unknown {
    const decision = this.deps.shouldRefuseConnections && socket.library ? this.#decide(socket) : null;
    if (!(decision instanceof Promise)) return this.#connectOrRefuse(socket, decision, connect);
    const client: PausableClient = socket.client;
    client.pause?.();
    return decision.then((refusal) => {
      client.resume?.();
      return this.#connectOrRefuse(socket, refusal, connect);
    });
  }

  #connectOrRefuse(socket: OpenSocket, refusal: Refusal | null, connect: () => unknown): unknown {
    if (!refusal) return connect();
    this.#publish(refusal, socket.group);
    return this.deps.openSockets.disconnect(socket, refusal);
  }

  #decideAndPublish(socket: OpenSocket): SocketDecision {
    const decision = this.#decide(socket);
    if (!(decision instanceof Promise)) return this.#publish(decision, socket.group);
    return decision.then((refusal) => this.#publish(refusal, socket.group));
  }

  async #findFileRefusal(request: IncomingMessage): Promise<Refusal | null> {
    const { socketPolicy, statusCode: status } = this.deps;
    const refusal = await socketPolicy.findFileRefusal(request);
    const describe = (): RefusedCallOrigin => ({
      ...describeRoute(request.method ?? 'GET', undefined),
      transport: 'http',
      status,
    });
    if (refusal) publishRefusal(refusal, describe);
    return refusal;
  }

  /** Publishes the refusal of a socket to the subscribers, and returns it. */
  #publish(refusal: Refusal | null, { gateways }: GatewayGroup): Refusal | null {
    if (refusal === null) return null;
    publishRefusal(refusal, () => ({
      route: `socket ${formatGatewayNames(gateways)}`,
      method: 'connect',
      transport: 'ws',
      status: this.deps.statusCode,
    }));
    return refusal;
  }

  #decide({ client, group, handshake }: OpenSocket): SocketDecision {
    const known = this.#decisions.get(client);
    if (known !== undefined) return known;
    const decision = this.deps.socketPolicy.findSocketRefusal(group, client, handshake);
    if (decision === null && this.deps.socketPolicy.isInactive) return null;
    this.#decisions.set(client, decision);
    if (decision instanceof Promise) void decision.then((refusal) => this.#decisions.set(client, refusal));
    return decision;
  }
}

function findLibrary(server: object): SocketLibrary | null {
  if (isSocketIoServer(server)) return socketIoLibrary;
  return isWsServer(server) ? wsLibrary : null;
}

// Parses the URL as Nest's adapter for `ws` does.
function parsePathname(url: string): string {
  return URL.canParse(url, 'ws://localhost') ? new URL(url, 'ws://localhost').pathname : url;
}
