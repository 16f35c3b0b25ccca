import type { ModulesContainer } from '@nestjs/core';
import {
  BULL_PROCESSOR_METADATA,
  BULLMQ_PROCESSOR_METADATA,
  BULLMQ_REGISTRAR_NAME,
  SCHEDULE_OPTIONS,
} from '../nest-internals.js';

/** The packages with background work that an application uses. */
export interface BackgroundPackages {
  hasSchedules: boolean;
  hasBullMq: boolean;
  /** Those of the older package, `@nestjs/bull`. */
  hasBull: boolean;
}

/** Detects the packages by the providers that the modules declare. */
export function detectBackgroundPackages(modules: ModulesContainer): BackgroundPackages {
  const all = [...modules.values()];
  const types = all.flatMap(({ providers }) => [...providers.values()].map(({ metatype }) => metatype));
  return {
    hasSchedules: all.some(({ providers }) => providers.has(SCHEDULE_OPTIONS)),
    hasBullMq: types.some(
      (type) =>
        typeof type === 'function' &&
        (type.name === BULLMQ_REGISTRAR_NAME || hasMetadata(BULLMQ_PROCESSOR_METADATA, type)),
    ),
    hasBull: types.some(
      (type) => typeof type === 'function' && (isBullExplorer(type) || hasMetadata(BULL_PROCESSOR_METADATA, type)),
    ),
  };
}

function hasMetadata(key: string, type: object): boolean {
  return Reflect.hasMetadata(key, type);
}

function isBullExplorer({ prototype }: { prototype?: object }): boolean {
  return prototype !== undefined && 'handleProcessor' in prototype && 'handleListener' in prototype;
}
