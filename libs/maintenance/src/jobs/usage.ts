import type { ModulesContainer } from '@nestjs/core';

/** The packages whose work may have to rest, by what the modules of an application declare. */
export interface Usage {
  schedules: boolean;
  queues: boolean;
  /** Those of the older package, @nestjs/bull. */
  bullQueues: boolean;
}

// Names that the packages give to their own providers and metadata. Importing them would load the packages.
const SCHEDULE_OPTIONS = 'SCHEDULE_MODULE_OPTIONS';
const PROCESSOR = 'bullmq:processor_metadata';
const BULL_PROCESSOR = 'bull:module_queue';
const REGISTRAR = 'BullRegistrar';

/** Looks at what the modules declare. */
export function usageOf(modules: ModulesContainer): Usage {
  const all = [...modules.values()];
  const types = all.flatMap(({ providers }) => [...providers.values()].map(({ metatype }) => metatype));
  return {
    schedules: all.some(({ providers }) => providers.has(SCHEDULE_OPTIONS)),
    queues: types.some(
      (type) => typeof type === 'function' && (type.name === REGISTRAR || hasMetadata(PROCESSOR, type)),
    ),
    bullQueues: types.some(
      (type) => typeof type === 'function' && (isBullExplorer(type) || hasMetadata(BULL_PROCESSOR, type)),
    ),
  };
}

function hasMetadata(key: string, type: object): boolean {
  return Reflect.hasMetadata(key, type);
}

function isBullExplorer({ prototype }: { prototype?: object }): boolean {
  return prototype !== undefined && 'handleProcessor' in prototype && 'handleListener' in prototype;
}
