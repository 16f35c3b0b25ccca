import type { FactoryProvider, Provider } from '@nestjs/common';
import { maintenanceConfig } from '../maintenance.config.js';
import { MODULE_OPTIONS_TOKEN, RESOLVED_OPTIONS } from '../maintenance.constants.js';
import type { EnvironmentOptions } from './environment.js';
import type { MaintenanceModuleOptions } from './maintenance-options.js';
import { resolveOptions, type ResolvedOptions } from './resolved-options.js';

const resolvedOptionsProvider: FactoryProvider<ResolvedOptions> = {
  provide: RESOLVED_OPTIONS,
  inject: [MODULE_OPTIONS_TOKEN, maintenanceConfig.KEY],
  useFactory: (options: MaintenanceModuleOptions | null, fromEnvironment: EnvironmentOptions) =>
    resolveOptions(options ?? {}, fromEnvironment),
};

export const optionsProviders: Provider[] = [resolvedOptionsProvider];
