import { trackHandlerResult } from '../../drain/request-in-flight.js';

/**
 * Wraps a handler of a route so that its request stays in flight until the handler is done: a client that disconnects
 * closes the connection, but does not stop the handler.
 */
export function trackHandler<Request, Response extends object, Next>(
  handler: (request: Request, response: Response, next: Next) => unknown,
): typeof handler {
  const tracked: typeof handler = (request, response, next) =>
    trackHandlerResult(response, handler(request, response, next));
  // Nest and RoutedHandlers read metadata of the function that the router got.
  for (const key of Reflect.getMetadataKeys(handler))
    Reflect.defineMetadata(key, Reflect.getMetadata(key, handler), tracked);
  return Object.defineProperties(tracked, Object.getOwnPropertyDescriptors(handler));
}
