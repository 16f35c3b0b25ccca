import type { DiscoveryService } from '@nestjs/core';
import {
  GATEWAY_METADATA,
  GATEWAY_OPTIONS_METADATA,
  GATEWAY_PORT_METADATA,
  MESSAGE_MAPPING_METADATA,
  MESSAGE_METADATA,
} from '../../nest-internals.js';
import type { HandlerRules, HandlerRulesReader } from '../../policy/handler-rules.js';
import { getMethods, type Class, type Method } from '../../utils/discovery.js';

/** A message handler as its decorators declare it. */
export interface MessageHandler {
  readonly message: unknown;
  readonly rules: HandlerRules;
}

/** A gateway as its decorators declare it. */
export interface Gateway {
  readonly type: Class;
  readonly port: number;
  readonly path: unknown;
  /** `/` by default. */
  readonly namespace: unknown;
  readonly handlers: readonly MessageHandler[];
  /** The rules of `handleConnection` and of all handlers. */
  readonly rules: readonly HandlerRules[];
}

/** The address of gateways. Without a namespace, it matches all namespaces. */
export type GatewayAddress = Pick<Gateway, 'port' | 'path'> & Partial<Pick<Gateway, 'namespace'>>;

/** Stands in for `handleConnection` of gateways that do not implement it. */
const defaultHandleConnection: Method = () => undefined;

/** Returns the gateways that the modules declare. */
export function findGateways(discovery: DiscoveryService, reader: HandlerRulesReader): Gateway[] {
  const types = new Set(discovery.getProviders().map(({ metatype }) => metatype));
  return [...types].filter(isGateway).map((type) => readGateway(type, reader));
}

/** Normalizes a namespace, so that that of a gateway can be compared with that of a server. */
export function normalizeNamespace(namespace: unknown): unknown {
  if (namespace === undefined || namespace === null || namespace === '') return '/';
  return typeof namespace === 'string' && !namespace.startsWith('/') ? `/${namespace}` : namespace;
}

/** Returns the gateways at an address. */
export function findGatewaysAt(gateways: readonly Gateway[], { port, path, namespace }: GatewayAddress): Gateway[] {
  return gateways.filter(
    (gateway) =>
      gateway.port === port &&
      gateway.path === path &&
      (namespace === undefined || gateway.namespace === normalizeNamespace(namespace)),
  );
}

/** Formats the class names of gateways for reports. */
export function formatGatewayNames(gateways: readonly Pick<Gateway, 'type'>[]): string {
  return [...new Set(gateways.map(({ type }) => type.name))].join(', ');
}

/** Returns the rules for opening a socket to one of the gateways. Opening a socket only reads. */
export function getConnectionRules(gateways: readonly Gateway[]): HandlerRules[] {
  return removeDuplicateRules(gateways.flatMap(({ rules }) => rules)).map((rules) => ({ ...rules, access: 'read' }));
}

/** Keeps one of several rules for which the decision is always the same. */
function removeDuplicateRules(allRules: readonly HandlerRules[]): HandlerRules[] {
  return [...new Map(allRules.map((rules) => [`${rules.override} ${rules.scopes.join(' ')}`, rules])).values()];
}

function isGateway(type: unknown): type is Class {
  return typeof type === 'function' && Reflect.hasMetadata(GATEWAY_METADATA, type);
}

function readGateway(type: Class, reader: HandlerRulesReader): Gateway {
  const options = (Reflect.getMetadata(GATEWAY_OPTIONS_METADATA, type) ?? {}) as {
    path?: unknown;
    namespace?: unknown;
  };
  const prototype = type.prototype as { handleConnection?: Method };
  const handlers = getMethods(prototype)
    .filter(([, method]) => Reflect.hasMetadata(MESSAGE_MAPPING_METADATA, method))
    .map(([, method]) => ({
      message: Reflect.getMetadata(MESSAGE_METADATA, method) as unknown,
      rules: reader.getRules(type, method),
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
