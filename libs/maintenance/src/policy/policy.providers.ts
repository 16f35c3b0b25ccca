import { VersioningType, type FactoryProvider, type Provider } from '@nestjs/common';
import { ApplicationConfig } from '@nestjs/core';
import { StateMonitor } from '../core/state-monitor.js';
import { RESOLVED_OPTIONS } from '../maintenance.constants.js';
import type { ResolvedOptions } from '../options/resolved-options.js';
import { Clock } from '../utils/clock.js';
import { createProvider } from '../utils/create-provider.js';
import { FailureLog } from '../utils/failure-log.js';
import { toErrorMessage } from '../utils/to-error-message.js';
import { HandlerRulesReader } from './handler-rules.js';
import { MaintenancePolicy } from './maintenance-policy.js';
import type { MountPoints } from './probes.js';

const policyProvider: FactoryProvider<MaintenancePolicy> = {
  provide: MaintenancePolicy,
  inject: [RESOLVED_OPTIONS, StateMonitor, Clock, ApplicationConfig],
  useFactory: (
    { exempt, response, scopesOf, bypass }: ResolvedOptions,
    monitor: StateMonitor,
    clock: Clock,
    config: ApplicationConfig,
  ) => {
    const failures = new FailureLog(clock);
    return new MaintenancePolicy(monitor, clock, {
      exemptions: { ...exempt, getMountPoints: createMountPointsGetter(config) },
      scopesOf,
      bypassCookieName: bypass.cookieName,
      retryAfter: response.retryAfter,
      onError: (option, error) =>
        failures.error(
          option,
          () => `\`${option}\` could not decide, so the caller was refused: ${toErrorMessage(error)}`,
        ),
    });
  },
};

/** Creates a function that finds the mount points again only where the application has changed them. */
function createMountPointsGetter(config: ApplicationConfig): () => MountPoints {
  let known: { prefix: string; versioning: unknown; mountPoints: MountPoints } | null = null;
  return () => {
    const prefix = config.getGlobalPrefix();
    const versioning = config.getVersioning();
    if (known?.prefix !== prefix || known.versioning !== versioning)
      known = { prefix, versioning, mountPoints: findMountPoints(config) };
    return known.mountPoints;
  };
}

function findMountPoints(config: ApplicationConfig): MountPoints {
  const prefix = config.getGlobalPrefix().replace(/^\/+|\/+$/g, '');
  const versioning = config.getVersioning();
  // `prefix: false` puts the bare version into the path.
  const versionPrefix = versioning?.type === VersioningType.URI ? (versioning.prefix ?? 'v') || '' : null;
  return { globalPrefix: prefix && `/${prefix}`, versionPrefix };
}

export const policyProviders: Provider[] = [createProvider(HandlerRulesReader), policyProvider];
