import { MetadataScanner, type ModulesContainer } from '@nestjs/core';
import { GATEWAY_METADATA, GRAPHQL_MODULE_OPTIONS, PATTERN_METADATA, SSE_METADATA } from '../nest-internals.js';

/** The transports that an application uses. */
export interface TransportPackages {
  hasGraphql: boolean;
  hasGateways: boolean;
  hasMicroservices: boolean;
  hasEventStreams: boolean;
}

/** Detects the transports by the metadata of providers and controllers, since no instance exists yet. */
export function detectTransportPackages(modules: ModulesContainer): TransportPackages {
  const all = [...modules.values()];
  const scanner = new MetadataScanner();
  const controllers = all.flatMap(({ controllers }) => [...controllers.values()].map(({ metatype }) => metatype));
  const providers = all.flatMap(({ providers }) => [...providers.values()].map(({ metatype }) => metatype));
  const hasMethod = (key: string): boolean =>
    controllers.some((controller) => {
      const prototype = (controller as { prototype?: Record<string, unknown> } | null)?.prototype;
      return (
        prototype !== undefined &&
        scanner.getAllMethodNames(prototype).some((name) => hasMetadata(key, prototype[name]))
      );
    });
  return {
    hasGraphql: all.some(({ providers }) => providers.has(GRAPHQL_MODULE_OPTIONS)),
    hasGateways: providers.some((provider) => hasMetadata(GATEWAY_METADATA, provider)),
    hasMicroservices: hasMethod(PATTERN_METADATA),
    hasEventStreams: hasMethod(SSE_METADATA),
  };
}

function hasMetadata(key: string, target: unknown): boolean {
  return typeof target === 'function' && Reflect.hasMetadata(key, target);
}
