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
const defaultHandleConnection: Handler = () => undefined;

/** Returns the gateways that the modules declare. */
export function findGateways(modules: ModulesContainer, reader: HandlerRulesReader): Gateway[] {
  const providers = [...modules.values()].flatMap(({ providers }) => [...providers.values()]);
  const types = new Set(providers.filter(({ isNotMetatype }) => !isNotMetatype).map(({ metatype }) => metatype));
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
