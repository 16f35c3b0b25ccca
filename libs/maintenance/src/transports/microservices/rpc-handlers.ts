import type { DiscoveryService } from '@nestjs/core';
import {
  EVENT_HANDLER_TYPE,
  PATTERN_HANDLER_METADATA,
  PATTERN_METADATA,
  TRANSPORT_METADATA,
} from '../../nest-internals.js';
import type { HandlerReference, HandlerRules, HandlerRulesReader } from '../../policy/handler-rules.js';
import type { RefusedCall } from '../../policy/refusal-channel.js';
import { getMethods, type Class } from '../../utils/discovery.js';
import { formatHandlerName } from './track-rpc-handler.js';

/** A handler of messages or events as its decorators declare it. */
export interface RpcHandler extends HandlerReference {
  patterns: readonly unknown[];
  /** The transport in its decorator; `undefined` if it handles all transports. */
  transport: unknown;
  rules: HandlerRules;
  /** Whether Nest creates the handler once, and not for each request. */
  isStatic: boolean;
}

/** Whether a handler handles events, whose senders expect no response. */
export function isEventHandler(handler: object): boolean {
  return Reflect.getMetadata(PATTERN_HANDLER_METADATA, handler) === EVENT_HANDLER_TYPE;
}

/** Returns the transport in the decorator of a handler; `undefined` if it handles all transports. */
export function getTransport(handler: object): unknown {
  return Reflect.getMetadata(TRANSPORT_METADATA, handler) as unknown;
}

/** Describes a refused call by the patterns of its handler, which the caller can't choose. */
export function describeCall(handler: object, isGrpc: boolean): Pick<RefusedCall, 'route' | 'method'> {
  const isEvent = isEventHandler(handler);
  const patterns = (Reflect.getMetadata(PATTERN_METADATA, handler) ?? []) as unknown[];
  const names = patterns.map((pattern) => formatHandlerName({ pattern, isEvent, isGrpc }));
  return { route: names.join(', '), method: isGrpc ? 'grpc' : isEvent ? 'event' : 'message' };
}

/** Returns the handlers of all controllers. */
export function findRpcHandlers(discovery: DiscoveryService, reader: HandlerRulesReader): RpcHandler[] {
  return discovery.getControllers().flatMap((wrapper) => {
    const controller = wrapper.metatype as unknown as Class;
    return getMethods(controller.prototype as object)
      .filter(([, handler]) => Reflect.hasMetadata(PATTERN_METADATA, handler))
      .map(([, handler]) => ({
        controller,
        handler,
        patterns: Reflect.getMetadata(PATTERN_METADATA, handler) as unknown[],
        transport: getTransport(handler),
        rules: reader.getRules(controller, handler),
        isStatic: wrapper.isDependencyTreeStatic(),
      }));
  });
}

/**
 * Creates a function that finds the handler that Nest adds to a server, by its pattern. Handlers with the same pattern
 * are found one after the other, because Nest adds them in the order of the controllers.
 *
 * @returns a function that returns `undefined` for a handler that is not in a controller
 */
export function createHandlerLookup(
  handlers: readonly RpcHandler[],
  transport: unknown,
): (pattern: unknown) => RpcHandler | undefined {
  const remaining = new Map<unknown, RpcHandler[]>();
  for (const handler of handlers) {
    if (handler.transport !== undefined && transport !== undefined && handler.transport !== transport) continue;
    for (const pattern of handler.patterns) remaining.set(pattern, [...(remaining.get(pattern) ?? []), handler]);
  }
  return (pattern) => remaining.get(pattern)?.shift();
}
