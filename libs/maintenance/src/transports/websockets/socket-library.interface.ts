import type { IncomingMessage } from 'node:http';
import type { Refusal } from '../../policy/refusal.js';

/** A client's socket, as the adapters give it. */
export type SocketClient = object & { readonly request?: IncomingMessage | null; readonly data?: unknown };

/** What differs between the libraries behind Nest's adapters. */
export interface SocketLibrary {
  /** Tells by its path whether an upgrade of the application's own port is for a server. */
  createPathMatcher(server: object): (path: string) => boolean;
  /** Who takes the handshakes for a server or a namespace; `null`: they can't be refused. */
  getHandshakeServer(server: object): object | null;
  /** Has handshakes refused, unless there is no refusal for them. */
  guardHandshakes(door: object, refusalOf: (handshake: IncomingMessage) => Refusal | null, statusCode: number): void;
  /** Has requests refused for files that the library serves beside its sockets. */
  guardFiles?(
    server: object,
    refusalOf: (request: IncomingMessage) => Promise<Refusal | null>,
    statusCode: number,
  ): void;
  /** Has clients refused that passed the door, before they are connected, where the library knows of that. */
  guardNamespace?(server: object, refusalOf: (client: SocketClient) => Refusal | null | Promise<Refusal | null>): void;
  /** What several sockets of one client have in common. */
  getConnection(client: SocketClient): object;
  /** Tells clients on one connection why, and closes their sockets. `isAll`: no other socket of it stays. */
  disconnect(clients: readonly SocketClient[], refusal: Refusal, isAll: boolean): void;
}

/** The event that tells clients. */
export const SOCKET_EVENT_NAME = 'maintenance';
