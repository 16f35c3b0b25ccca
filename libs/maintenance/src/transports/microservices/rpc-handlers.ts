import { MetadataScanner, type ModulesContainer } from '@nestjs/core';
import {
  EVENT_HANDLER_TYPE,
  PATTERN_HANDLER_METADATA,
  PATTERN_METADATA,
  TRANSPORT_METADATA,
} from '../../nest-internals.js';
import type { HandlerReference } from '../handler-context.js';
import type { HandlerRules, HandlerRulesReader } from '../../policy/handler-rules.js';

type Handler = (...args: never[]) => unknown;
type Class = abstract new (...args: never[]) => unknown;

/** A handler of messages or events, as its decorators declare it. */
export interface RpcHandler extends HandlerReference {
  patterns: readonly unknown[];
  /** The one transport that it is for; `undefined`: all. */
  transport: unknown;
  rules: HandlerRules;
  /** Made once, not for each request. */
  isStatic: boolean;
}

/** Whether a handler takes events, to which nobody expects an answer. */
export function isEventHandler(handler: object): boolean {
  return Reflect.getMetadata(PATTERN_HANDLER_METADATA, handler) === EVENT_HANDLER_TYPE;
}

/** The one transport that a handler is for; `undefined`: all. */
export function getTransport(handler: object): unknown {
  return Reflect.getMetadata(TRANSPORT_METADATA, handler) as unknown;
}

/** The handlers of all controllers. */
export function findRpcHandlers(modules: ModulesContainer, reader: HandlerRulesReader): RpcHandler[] {
  const scanner = new MetadataScanner();
  return [...modules.values()]
    .flatMap(({ controllers }) => [...controllers.values()])
    .flatMap((wrapper) => {
      const controller = wrapper.metatype as Class | null;
      const prototype = controller?.prototype as Record<string, Handler> | undefined;
      if (!controller || !prototype) return [];
      const methods = scanner.getAllMethodNames(prototype).map((name) => prototype[name] as Handler);
      return methods
        .filter((handler) => typeof handler === 'function' && Reflect.hasMetadata(PATTERN_METADATA, handler))
        .map((handler) => ({
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
 * Tells which handler Nest gives to a server, by its pattern: several may have the same, and come in the order of the controllers.
 *
 * @returns `undefined` for a handler that no controller has
 */
export function createHandlerLookup(
  handlers: readonly RpcHandler[],
  transport: unknown,
): (pattern: unknown) => RpcHandler | undefined {
  const left = new Map<unknown, RpcHandler[]>();
  for (const handler of handlers) {
    if (handler.transport !== undefined && transport !== undefined && handler.transport !== transport) continue;
    for (const pattern of handler.patterns) left.set(pattern, [...(left.get(pattern) ?? []), handler]);
  }
  return (pattern) => left.get(pattern)?.shift();
}
