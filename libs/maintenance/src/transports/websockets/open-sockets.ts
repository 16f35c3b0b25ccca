import type { IncomingMessage } from 'node:http';
import type { Refusal } from '../../policy/refusal.js';
import type { GatewayGroup, SocketPolicy } from './socket-policy.js';
import type { SocketClient, SocketLibrary } from './socket-library.interface.js';

/** A socket of one of the application's gateways. */
export interface OpenSocket {
  readonly client: SocketClient;
  readonly group: GatewayGroup;
  /** `null`: the library has none, as for WebTransport. */
  readonly handshake: IncomingMessage | null;
  /** `null`: one that nobody here knows how to close. */
  readonly library: SocketLibrary | null;
}

/** The sockets that are open, to be closed when a window begins. */
export class OpenSockets {
  readonly #open = new Set<OpenSocket>();
  /** Those that were closed too: their last messages may still be on the way. */
  readonly #byClient = new WeakMap<object, OpenSocket>();

  constructor(private readonly socketPolicy: SocketPolicy) {}

  add(socket: OpenSocket): void {
    this.#byClient.set(socket.client, socket);
    this.#open.add(socket);
  }

  delete(socket: OpenSocket): void {
    this.#open.delete(socket);
  }

  /** What is known of a client; `undefined` for one of another application. */
  find(client: object): OpenSocket | undefined {
    return this.#byClient.get(client);
  }

  /** Turns away whom the windows that are active now refuse. */
  closeRefused(): void {
    if (this.socketPolicy.isInactive) return;
    const ofConnection = new Map<object, OpenSocket[]>();
    for (const socket of this.#open) {
      if (!socket.library) continue;
      const connection = socket.library.getConnection(socket.client);
      ofConnection.set(connection, [...(ofConnection.get(connection) ?? []), socket]);
    }
    for (const sockets of ofConnection.values()) void this.#closeRefusedOnConnection(sockets);
  }

  /** Turns one away, whatever else is on its connection. */
  disconnect(socket: OpenSocket, refusal: Refusal): void {
    const { library, client } = socket;
    if (!this.#open.delete(socket) || !library) return;
    const connection = library.getConnection(client);
    const stays = [...this.#open].some((other) => other.library?.getConnection(other.client) === connection);
    library.disconnect([client], refusal, !stays);
  }

  clear(): void {
    this.#open.clear();
  }

  async #closeRefusedOnConnection(sockets: OpenSocket[]): Promise<void> {
    const refusals = await Promise.all(
      sockets.map(async ({ group: entrance, client, handshake }) =>
        this.socketPolicy.findSocketRefusal(entrance, client, handshake),
      ),
    );
    // Told once: whoever has left meanwhile, or was turned away by another review, is not there any more.
    const refused = sockets.filter((socket, index) => refusals[index] && this.#open.delete(socket));
    const refusal = refusals.find((found) => found !== null);
    if (refused.length === 0 || !refusal) return;
    const stays = sockets.some((socket) => this.#open.has(socket));
    refused[0]!.library!.disconnect(
      refused.map(({ client }) => client),
      refusal,
      !stays,
    );
  }
}
