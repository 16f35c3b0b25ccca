import { ServerResponse, type IncomingMessage } from 'node:http';

/** Node's request, with the members that Express and its body parsers set on every request. */
type ExpressRequest = IncomingMessage & {
  next?: unknown;
  baseUrl?: unknown;
  originalUrl?: unknown;
  params?: unknown;
  route?: unknown;
  body?: unknown;
};

/**
 * Creates the members that Express and Node will set on every request and response, unless they exist.
 *
 * Express replaces the prototypes of both. Up to Node 22, V8 makes a new hidden class for each member that is added
 * after that, so that no two requests share a class and no access can be cached. Members that exist before cost
 * nothing: a small request takes half the time.
 */
export function createMembersEarly(request: IncomingMessage, response: ServerResponse): void {
  const incoming = request as ExpressRequest;
  incoming.next ??= undefined;
  incoming.baseUrl ??= undefined;
  incoming.originalUrl ??= undefined;
  incoming.params ??= undefined;
  incoming.route ??= undefined;
  incoming.body ??= undefined;
  // The response of HTTP/2 warns of `statusMessage`.
  if (!(response instanceof ServerResponse)) return;
  const outgoing = response as ServerResponse & { locals?: unknown };
  const { statusCode, statusMessage } = outgoing;
  outgoing.statusCode = statusCode;
  outgoing.statusMessage = statusMessage;
  outgoing.locals ??= undefined;
}
