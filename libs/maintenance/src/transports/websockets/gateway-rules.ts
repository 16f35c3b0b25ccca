import { MetadataScanner, type ModulesContainer } from '@nestjs/core';
import {
  GATEWAY_METADATA,
  GATEWAY_OPTIONS_METADATA,
  GATEWAY_PORT_METADATA,
  MESSAGE_MAPPING_METADATA,
  MESSAGE_METADATA,
} from '../../nest-internals.js';
import type { HandlerRules, HandlerRulesReader } from '../../policy/handler-rules.js';

type Class = abstract new (...args: never[]) => unknown;
type Handler = (...args: never[]) => unknown;

/** A handler of messages, as its decorators declare it. */
export interface MessageHandler {
  readonly message: unknown;
  readonly rules: HandlerRules;
}

/** A gateway, and what its decorators say of its sockets and of each of its messages. */
export interface Gateway {
  readonly type: Class;
  readonly port: number;
  readonly path: unknown;
  /** `/` where it names none. */
  readonly namespace: unknown;
  readonly handlers: readonly MessageHandler[];
  readonly rules: readonly HandlerRules[];
}

/** Where gateways stand; without a namespace, those of all namespaces. */
export type GatewayAddress = Pick<Gateway, 'port' | 'path'> & Partial<Pick<Gateway, 'namespace'>>;

/** Stands for a connection where the gateway has no `handleConnection` that could be decorated. */
const defaultHandleConnection: Handler = () => undefined;

/** The gateways that the modules declare. */
export function findGateways(modules: ModulesContainer, reader: HandlerRulesReader): Gateway[] {
  const providers = [...modules.values()].flatMap(({ providers }) => [...providers.values()]);
  const types = new Set(providers.filter(({ isNotMetatype }) => !isNotMetatype).map(({ metatype }) => metatype));
  return [...types].filter(isGateway).map((type) => readGateway(type, reader));
}

/** How the namespace of a gateway and that of a server compare. */
export function normalizeNamespace(namespace: unknown): unknown {
  if (namespace === undefined || namespace === null || namespace === '') return '/';
  return typeof namespace === 'string' && !namespace.startsWith('/') ? `/${namespace}` : namespace;
}

/** The gateways at an address. */
export function findGatewaysAt(gateways: readonly Gateway[], { port, path, namespace }: GatewayAddress): Gateway[] {
  return gateways.filter(
    (gateway) =>
      gateway.port === port &&
      gateway.path === path &&
      (namespace === undefined || gateway.namespace === normalizeNamespace(namespace)),
  );
}

/** The rules of those who open a socket to some of the gateways. That changes nothing, so they all read. */
export function getConnectionRules(gateways: readonly Gateway[]): HandlerRules[] {
  return removeDuplicateRules(gateways.flatMap(({ rules }) => rules)).map((rules) => ({ ...rules, access: 'read' }));
}

/** The rules that may be decided differently. */
function removeDuplicateRules(all: readonly HandlerRules[]): HandlerRules[] {
  return [...new Map(all.map((rules) => [`${rules.override} ${rules.scopes.join(' ')}`, rules])).values()];
}

function isGateway(type: unknown): type is Class {
  return typeof type === 'function' && Reflect.hasMetadata(GATEWAY_METADATA, type);
}

function readGateway(type: Class, reader: HandlerRulesReader): Gateway {
  const options = (Reflect.getMetadata(GATEWAY_OPTIONS_METADATA, type) ?? {}) as {
    path?: unknown;
    namespace?: unknown;
  };
  const prototype = type.prototype as Record<string, Handler | null>;
  const handlers = new MetadataScanner()
    .getAllMethodNames(prototype)
    .map((name) => prototype[name])
    .filter((handler) => typeof handler === 'function' && Reflect.hasMetadata(MESSAGE_MAPPING_METADATA, handler))
    .map((handler) => ({
      message: Reflect.getMetadata(MESSAGE_METADATA, handler!) as unknown,
      rules: reader.getRules(type, handler!),
    }));
  return {
    type,
    port: (Reflect.getMetadata(GATEWAY_PORT_METADATA, type) as number | undefined) || 0,
    path: options.path,
    namespace: normalizeNamespace(options.namespace),
    handlers,
    rules: [
      reader.getRules(type, prototype.handleConnection ?? defaultHandleConnection),
      ...handlers.map(({ rules }) => rules),
    ],
  };
}
