import type { IncomingMessage } from 'node:http';
import type { Refusal } from '../../policy/refusal.js';

/** A client's socket, as the adapters of Nest pass it on. */
export type SocketClient = object & { readonly request?: IncomingMessage | null; readonly data?: unknown };

/** The differences between the libraries behind Nest's adapters. */
export interface SocketLibrary {
  /** Creates a function that tells by the path whether an upgrade of the application's port belongs to a server. */
  createPathMatcher(server: object): (path: string) => boolean;
  /** Returns the object that takes the handshakes for a server or a namespace; `null` if they can't be refused. */
  getHandshakeServer(server: object): object | null;
  /** Refuses the handshakes for which `findRefusal` returns a refusal. */
  guardHandshakes(
    handshakeServer: object,
    findRefusal: (handshake: IncomingMessage) => Refusal | null,
    statusCode: number,
  ): void;
  /** Refuses requests for files that the library serves next to its sockets. */
  guardFiles?(
    server: object,
    findRefusal: (request: IncomingMessage) => Promise<Refusal | null>,
    statusCode: number,
  ): void;
  /** Refuses clients after their handshake and before they are connected, if the library has such a step. */
  guardNamespace?(
    server: object,
    findRefusal: (client: SocketClient) => Refusal | null | Promise<Refusal | null>,
  ): void;
  /** Returns the connection that several sockets of one client share. */
  getConnection(client: SocketClient): object;
  /**
   * Tells clients on one connection about the window, and closes their sockets.
   *
   * @param isAll - whether the connection has no other sockets, so that it closes as well
   */
  disconnect(clients: readonly SocketClient[], refusal: Refusal, isAll: boolean): void;
}

/** The event that tells clients why their socket closes. */
export const SOCKET_EVENT_NAME = 'maintenance';
