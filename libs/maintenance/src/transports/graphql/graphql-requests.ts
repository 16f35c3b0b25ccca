import type { IncomingMessage } from 'node:http';
import type { HttpIntegration } from '../../http/http-integration.js';
import type { PolicyRequest } from '../../policy/request-path.js';
import { copyWithUser } from '../copy-with-user.js';

/** What graphql-ws knows of a connection. */
export interface SocketExtra {
  request: IncomingMessage;
}

/** The connection to which a context of graphql-ws belongs; `null` for every other value. */
export function getSocketExtra(value: unknown): SocketExtra | null {
  const extra = (value as { extra?: Partial<SocketExtra> | null } | null | undefined)?.extra;
  return extra?.request ? (extra as SocketExtra) : null;
}

/** Finds the requests that GraphQL contexts belong to. */
export class GraphqlRequests {
  /** The handshakes of connections whose protocol tells a context nothing of them. */
  readonly #handshakes = new WeakMap<object, IncomingMessage>();

  constructor(private readonly httpIntegration: HttpIntegration) {}

  setHandshake(context: object, request: IncomingMessage): void {
    this.#handshakes.set(context, request);
  }

  /**
   * Returns the request for the policy: that of the operation, or the one with which its socket was opened, with the user whom the
   * application put into the GraphQL context or on the connection.
   *
   * @param context - the GraphQL context, where Nest keeps the request as `req`
   */
  find(context: unknown): PolicyRequest | null {
    const { httpIntegration: mount } = this;
    const req = (context as { req?: unknown } | null | undefined)?.req;
    const socket = getSocketExtra(context) ?? getSocketExtra(req);
    if (socket) return copyWithUser(mount.toPolicyRequest(socket.request), context, req, socket, socket.request);
    if (isRequest(req)) return copyWithUser(mount.restoreUrl(req), context);
    const handshake = this.#handshakes.get(context as object);
    return handshake ? copyWithUser(mount.toPolicyRequest(handshake), context, handshake) : null;
  }
}

function isRequest(value: unknown): value is PolicyRequest {
  const { method, url } = (value ?? {}) as { method?: unknown; url?: unknown };
  return typeof method === 'string' && typeof url === 'string';
}
