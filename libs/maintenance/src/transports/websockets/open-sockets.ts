import type { IncomingMessage } from 'node:http';
import type { Refusal } from '../../policy/refusal.js';
import type { GatewayGroup, SocketPolicy } from './socket-policy.js';
import type { SocketClient, SocketLibrary } from './socket-library.interface.js';

/** A socket of one of the application's gateways. */
export interface OpenSocket {
  readonly client: SocketClient;
  readonly group: GatewayGroup;
  /** The request that opened the socket; `null` if there was none, as for WebTransport. */
  readonly handshake: IncomingMessage | null;
  /** `null` for an unknown library, whose sockets can't be closed. */
  readonly library: SocketLibrary | null;
}

/** Keeps the open sockets, and closes those that a window refuses. */
export class OpenSockets {
  readonly #open = new Set<OpenSocket>();
  /** Closed sockets too: their last messages may still arrive. */
  readonly #byClient = new WeakMap<object, OpenSocket>();

  constructor(private readonly socketPolicy: SocketPolicy) {}

  add(socket: OpenSocket): void {
    this.#byClient.set(socket.client, socket);
    this.#open.add(socket);
  }

  delete(socket: OpenSocket): void {
    this.#open.delete(socket);
  }

  /** Returns the socket of a client, also after it was closed; `undefined` for a client of another application. */
  find(client: object): OpenSocket | undefined {
    return this.#byClient.get(client);
  }

  /** Closes the sockets that the active windows refuse. */
  closeRefused(): void {
    if (this.socketPolicy.isInactive) return;
    const socketsByConnection = new Map<object, OpenSocket[]>();
    for (const socket of this.#open) {
      if (!socket.library) continue;
      const connection = socket.library.getConnection(socket.client);
      socketsByConnection.set(connection, [...(socketsByConnection.get(connection) ?? []), socket]);
    }
    for (const sockets of socketsByConnection.values()) void this.#closeRefusedOnConnection(sockets);
  }

  /** Closes one socket. Its connection stays open if it has other sockets. */
  disconnect(socket: OpenSocket, refusal: Refusal): void {
    const { library, client } = socket;
    if (!this.#open.delete(socket) || !library) return;
    const connection = library.getConnection(client);
    const hasOthers = [...this.#open].some((other) => other.library?.getConnection(other.client) === connection);
    library.disconnect([client], refusal, !hasOthers);
  }

  clear(): void {
    this.#open.clear();
  }

  async #closeRefusedOnConnection(sockets: OpenSocket[]): Promise<void> {
    const refusals = await Promise.all(
      sockets.map(async ({ group, client, handshake }) =>
        this.socketPolicy.findSocketRefusal(group, client, handshake),
      ),
    );
    // Each socket is closed once: the client may have left meanwhile, or an earlier change may have closed the socket.
    const refused = sockets.filter((socket, index) => refusals[index] && this.#open.delete(socket));
    const refusal = refusals.find((found) => found !== null);
    if (refused.length === 0 || !refusal) return;
    const hasOthers = sockets.some((socket) => this.#open.has(socket));
    refused[0]!.library!.disconnect(
      refused.map(({ client }) => client),
      refusal,
      !hasOthers,
    );
  }
}
