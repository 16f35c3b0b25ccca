import type { IncomingMessage } from 'node:http';
import type { Refusal } from '../../policy/refusal.js';
import type { Entrance, SocketGate } from './socket-gate.js';
import type { Client, SocketLibrary } from './socket-library.js';

/** A socket of one of the application's gateways. */
export interface OpenSocket {
  readonly client: Client;
  readonly entrance: Entrance;
  /** `null`: the library has none, as for WebTransport. */
  readonly handshake: IncomingMessage | null;
  /** `null`: one that nobody here knows how to close. */
  readonly library: SocketLibrary | null;
}

/** The sockets that are open, to be closed when a window begins. */
export class OpenSockets {
  readonly #open = new Set<OpenSocket>();
  /** Those that were closed too: their last messages may still be on the way. */
  readonly #known = new WeakMap<object, OpenSocket>();

  constructor(private readonly gate: SocketGate) {}

  add(socket: OpenSocket): void {
    this.#known.set(socket.client, socket);
    this.#open.add(socket);
  }

  delete(socket: OpenSocket): void {
    this.#open.delete(socket);
  }

  /** What is known of a client; `undefined` for one of another application. */
  of(client: object): OpenSocket | undefined {
    return this.#known.get(client);
  }

  /** Turns away whom the windows that are active now refuse. */
  review(): void {
    if (this.gate.isOpen) return;
    const ofConnection = new Map<object, OpenSocket[]>();
    for (const socket of this.#open) {
      if (!socket.library) continue;
      const connection = socket.library.connectionOf(socket.client);
      ofConnection.set(connection, [...(ofConnection.get(connection) ?? []), socket]);
    }
    for (const sockets of ofConnection.values()) void this.#reviewConnection(sockets);
  }

  /** Turns one away, whatever else is on its connection. */
  turnAway(socket: OpenSocket, refusal: Refusal): void {
    const { library, client } = socket;
    if (!this.#open.delete(socket) || !library) return;
    const connection = library.connectionOf(client);
    const stays = [...this.#open].some((other) => other.library?.connectionOf(other.client) === connection);
    library.turnAway([client], refusal, !stays);
  }

  clear(): void {
    this.#open.clear();
  }

  async #reviewConnection(sockets: OpenSocket[]): Promise<void> {
    const refusals = await Promise.all(
      sockets.map(async ({ entrance, client, handshake }) => this.gate.refusalOf(entrance, client, handshake)),
    );
    // Told once: whoever has left meanwhile, or was turned away by another review, is not there any more.
    const refused = sockets.filter((socket, index) => refusals[index] && this.#open.delete(socket));
    const refusal = refusals.find((found) => found !== null);
    if (refused.length === 0 || !refusal) return;
    const stays = sockets.some((socket) => this.#open.has(socket));
    refused[0]!.library!.turnAway(
      refused.map(({ client }) => client),
      refusal,
      !stays,
    );
  }
}
