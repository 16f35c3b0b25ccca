import type { IncomingMessage } from 'node:http';
import type { HttpIntegration } from '../../http/http-integration.js';
import type { PolicyRequest } from '../../policy/request-path.js';
import { copyWithUser } from '../copy-with-user.js';

/** The `extra` of a connection of graphql-ws. */
export interface SocketExtra {
  request: IncomingMessage;
}

/** Returns the connection of a context of graphql-ws; `null` for any other value. */
export function getSocketExtra(value: unknown): SocketExtra | null {
  const extra = (value as { extra?: Partial<SocketExtra> | null } | null | undefined)?.extra;
  return extra?.request ? (extra as SocketExtra) : null;
}

/** Finds the requests that GraphQL contexts belong to. */
export class GraphqlRequests {
  /** The handshakes of connections of the older protocol, by the context of their operations. */
  readonly #handshakes = new WeakMap<object, IncomingMessage>();

  constructor(private readonly httpIntegration: HttpIntegration) {}

  setHandshake(context: object, request: IncomingMessage): void {
    this.#handshakes.set(context, request);
  }

  /**
   * Returns the request of an operation, or the one that opened its socket, with the user whom the application put into
   * the GraphQL context or on the connection.
   *
   * @param context - the GraphQL context, where Nest keeps the request as `req`
   */
  find(context: unknown): PolicyRequest | null {
    const { httpIntegration } = this;
    const req = (context as { req?: unknown } | null | undefined)?.req;
    const socket = getSocketExtra(context) ?? getSocketExtra(req);
    if (socket)
      return copyWithUser(httpIntegration.toPolicyRequest(socket.request), context, req, socket, socket.request);
    if (isRequest(req)) return copyWithUser(httpIntegration.restoreUrl(req), context);
    const handshake = this.#handshakes.get(context as object);
    return handshake ? copyWithUser(httpIntegration.toPolicyRequest(handshake), context, handshake) : null;
  }
}

function isRequest(value: unknown): value is PolicyRequest {
  const { method, url } = (value ?? {}) as { method?: unknown; url?: unknown };
  return typeof method === 'string' && typeof url === 'string';
}
