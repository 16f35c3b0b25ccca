import { MetadataScanner, type ModulesContainer } from '@nestjs/core';

/** The transports that an application uses, by what its modules declare. */
export interface Usage {
  graphql: boolean;
  sockets: boolean;
  microservices: boolean;
  eventStreams: boolean;
}

// Names that Nest gives to its own metadata and providers. Importing them would load the packages.
const GRAPHQL_OPTIONS = 'GqlModuleOptions';
const GATEWAY = 'websockets:is_gateway';
const PATTERN = 'microservices:pattern';
const EVENT_STREAM = '__sse__';

/** Looks at what the modules declare: nothing is created yet. */
export function usageOf(modules: ModulesContainer): Usage {
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
    graphql: all.some(({ providers }) => providers.has(GRAPHQL_OPTIONS)),
    sockets: providers.some((provider) => hasMetadata(GATEWAY, provider)),
    microservices: hasMethod(PATTERN),
    eventStreams: hasMethod(EVENT_STREAM),
  };
}

function hasMetadata(key: string, target: unknown): boolean {
  return typeof target === 'function' && Reflect.hasMetadata(key, target);
}
