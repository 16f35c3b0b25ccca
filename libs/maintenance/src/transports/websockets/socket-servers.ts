import type { IncomingMessage } from 'node:http';
import type { WebSocketAdapter } from '@nestjs/common';
import type { ApplicationConfig } from '@nestjs/core';
import type { Refusal } from '../../policy/refusal.js';
import { entranceRules, gatewaysAt, namespaceOf, type Address, type Gateway } from './gateway-rules.js';
import type { OpenSocket, OpenSockets } from './open-sockets.js';
import { replaceMethod } from '../../utils/patch-method.js';
import { isSocketIoServer, socketIo } from './socket-io-server.js';
import type { Entrance, SocketGate } from './socket-gate.js';
import type { SocketMessages } from './socket-messages.js';
import type { Client, SocketLibrary } from './socket-library.js';
import type { TransportParts } from '../transport-parts.js';
import { isWsServer, ws } from './ws-server.js';

type Decision = Refusal | null | Promise<Refusal | null>;
type Connect = (client: Client, ...rest: unknown[]) => unknown;
/** `ws` holds messages back until it is known whether anybody may answer them. */
type Pausable = Client & { pause?(): void; resume?(): void };

export interface SocketServersParts {
  config: ApplicationConfig;
  gateways: readonly Gateway[];
  gate: SocketGate;
  open: OpenSockets;
  messages: SocketMessages;
  statusCode: number;
  upgrades: TransportParts['upgrades'];
  /** Whether handshakes and newcomers are refused. */
  guardsEntrances: boolean;
}

/** Hooks into the adapter, from which Nest gets every server and every client. */
export class SocketServers {
  readonly #undo: (() => void)[] = [];
  readonly #adapters = new WeakSet<object>();
  /** By server or namespace, and by what takes the handshakes of several. */
  readonly #entrances = new WeakMap<object, Entrance>();
  /** Of those who came while a window was active. */
  readonly #decided = new WeakMap<Client, Decision>();

  constructor(private readonly parts: SocketServersParts) {}

  /** Waits for the adapter: the one from `main.ts`, or Nest's default when the first gateway needs it. */
  attach(): void {
    const { config } = this.parts;
    this.#undo.push(
      replaceMethod(config, 'setIoAdapter', (set) => (adapter) => {
        this.#follow(adapter);
        set(adapter);
      }),
    );
    const given = config.getIoAdapter() as WebSocketAdapter | null;
    if (given) this.#follow(given);
  }

  detach(): void {
    for (const undo of this.#undo.splice(0).reverse()) undo();
  }

  #follow(adapter: WebSocketAdapter): void {
    if (this.#adapters.has(adapter)) return;
    this.#adapters.add(adapter);
    this.#undo.push(
      replaceMethod(adapter, 'create', (create) => (port: number, options?: Omit<Address, 'port'>) => {
        const server = create(port, options) as object;
        this.#meet(server, { port, path: options?.path, namespace: namespaceOf(options?.namespace) });
        return server;
      }),
      replaceMethod(adapter, 'bindClientConnect', (bind) => (server: object, connect: Connect) => {
        bind(server, (client: Client, ...rest: unknown[]) =>
          this.#enter(this.#arrive(adapter, server, client, rest[0]), () => connect(client, ...rest)),
        );
      }),
      replaceMethod(adapter, 'bindMessageHandlers', (bind) => (client: Client, handlers, transform) => {
        const socket = this.parts.open.of(client);
        bind(client, socket ? this.parts.messages.counting(socket, handlers) : handlers, transform);
      }),
    );
  }

  #meet(server: object, address: Address): void {
    const { gateways, gate, statusCode, guardsEntrances, upgrades } = this.parts;
    const library = libraryOf(server);
    // Several gateways may share a server of the application's own port.
    if (address.port === 0 && !this.#entrances.has(server)) {
      const own = typeof address.path === 'string' ? address.path : '/';
      const takes = library?.takes(server) ?? ((path) => path === own);
      upgrades.leave((request) => takes(pathname(request.url ?? '/')));
    }
    const door = library?.doorOf(server) ?? null;
    const [isNewServer, isNewDoor] = [!this.#entrances.has(server), door !== null && !this.#entrances.has(door)];
    const within = this.#widen(server, gatewaysAt(gateways, address));
    // A handshake knows of no namespace, so that all of them count.
    const atDoor = door && this.#widen(door, gatewaysAt(gateways, { port: address.port, path: address.path }));
    if (!library || !guardsEntrances) return;
    if (isNewDoor && door && atDoor) {
      library.guardDoor(door, (handshake) => gate.refusalOfHandshake(atDoor, handshake), statusCode);
      library.guardFiles?.(server, (request) => gate.refusalOfFile(request), statusCode);
    }
    if (isNewServer) {
      library.guardNamespace?.(server, (client) =>
        this.#decide({ client, entrance: within, handshake: client.request ?? null, library }),
      );
    }
  }

  #widen(place: object, found: readonly Gateway[]): Entrance {
    let entrance = this.#entrances.get(place);
    if (!entrance) this.#entrances.set(place, (entrance = { gateways: [], rules: [] }));
    entrance.gateways = [...new Set([...entrance.gateways, ...found])];
    entrance.rules = entranceRules(entrance.gateways);
    return entrance;
  }

  #arrive(adapter: WebSocketAdapter, server: object, client: Client, handshake: unknown): OpenSocket {
    const { open, gateways } = this.parts;
    const known = open.of(client);
    // Several gateways on one server are told of each client, one after the other.
    if (known) return known;
    const socket: OpenSocket = {
      client,
      // A server that the adapter had from elsewhere: nobody knows which gateways stand there.
      entrance: this.#entrances.get(server) ?? { gateways, rules: gateways.flatMap(({ rules }) => rules) },
      handshake: (handshake as IncomingMessage | undefined) ?? client.request ?? null,
      library: libraryOf(server),
    };
    open.add(socket);
    adapter.bindClientDisconnect?.(client, () => open.delete(socket));
    return socket;
  }

  #enter(socket: OpenSocket, connect: () => unknown): unknown {
    const decision = this.parts.guardsEntrances && socket.library ? this.#decide(socket) : null;
    if (!(decision instanceof Promise)) return this.#letIn(socket, decision, connect);
    const client: Pausable = socket.client;
    client.pause?.();
    return decision.then((late) => {
      client.resume?.();
      return this.#letIn(socket, late, connect);
    });
  }

  #letIn(socket: OpenSocket, refusal: Refusal | null, connect: () => unknown): unknown {
    return refusal ? this.parts.open.turnAway(socket, refusal) : connect();
  }

  #decide({ client, entrance, handshake }: OpenSocket): Decision {
    const decided = this.#decided.get(client);
    if (decided !== undefined) return decided;
    const decision = this.parts.gate.refusalOf(entrance, client, handshake);
    if (decision === null && this.parts.gate.isOpen) return null;
    this.#decided.set(client, decision);
    if (decision instanceof Promise) void decision.then((late) => this.#decided.set(client, late));
    return decision;
  }
}

function libraryOf(server: object): SocketLibrary | null {
  if (isSocketIoServer(server)) return socketIo;
  return isWsServer(server) ? ws : null;
}

// As Nest's adapter for `ws` reads it.
function pathname(url: string): string {
  return URL.canParse(url, 'ws://localhost') ? new URL(url, 'ws://localhost').pathname : url;
}
