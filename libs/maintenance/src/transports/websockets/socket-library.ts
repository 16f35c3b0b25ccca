import type { IncomingMessage } from 'node:http';
import type { Refusal } from '../../policy/refusal.js';

/** A client's socket, as the adapters give it. */
export type Client = object & { readonly request?: IncomingMessage | null; readonly data?: unknown };

/** What differs between the libraries behind Nest's adapters. */
export interface SocketLibrary {
  /** Tells by its path whether an upgrade of the application's own port is for a server. */
  takes(server: object): (path: string) => boolean;
  /** Who takes the handshakes for a server or a namespace; `null`: they can't be refused. */
  doorOf(server: object): object | null;
  /** Has handshakes refused, unless there is no refusal for them. */
  guardDoor(door: object, refusalOf: (handshake: IncomingMessage) => Refusal | null, statusCode: number): void;
  /** Has requests refused for files that the library serves beside its sockets. */
  guardFiles?(
    server: object,
    refusalOf: (request: IncomingMessage) => Promise<Refusal | null>,
    statusCode: number,
  ): void;
  /** Has clients refused that passed the door, before they are connected, where the library knows of that. */
  guardNamespace?(server: object, refusalOf: (client: Client) => Refusal | null | Promise<Refusal | null>): void;
  /** What several sockets of one client have in common. */
  connectionOf(client: Client): object;
  /** Tells clients on one connection why, and closes their sockets. `isAll`: no other socket of it stays. */
  turnAway(clients: readonly Client[], refusal: Refusal, isAll: boolean): void;
}

/** The event that tells clients. */
export const MAINTENANCE_EVENT = 'maintenance';
