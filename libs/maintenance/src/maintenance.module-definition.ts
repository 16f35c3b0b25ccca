import { ConfigurableModuleBuilder, type DynamicModule } from '@nestjs/common';
import { ConfigModule } from '@nestjs/config';
import { APP_GUARD } from '@nestjs/core';
import { createAdminMetadata } from './admin/admin.providers.js';
import { StateMonitor } from './core/state-monitor.js';
import { Announcer } from './http/announcer.js';
import { HttpIntegration } from './http/http-integration.js';
import { MaintenanceGuard } from './http/maintenance.guard.js';
import { Responder } from './http/responder.js';
import { BackgroundBootstrapModule } from './jobs/background.module.js';
import { maintenanceConfig } from './maintenance.config.js';
import { MODULE_EXTRAS, MODULE_OPTIONS_TOKEN, RESOLVED_OPTIONS } from './maintenance.constants.js';
import { maintenanceProviders } from './maintenance.providers.js';
import { MaintenanceService } from './maintenance.service.js';
import type { MaintenanceModuleExtras, MaintenanceModuleOptions } from './options/maintenance-options.js';
import { HandlerRulesReader } from './policy/handler-rules.js';
import { MaintenancePolicy } from './policy/maintenance-policy.js';
import { TransportAdapters } from './policy/transport-adapters.js';
import { StateStorage } from './storage/state-storage.js';
import { Clock } from './utils/clock.js';

const DEFAULT_EXTRAS: MaintenanceModuleExtras = { isGlobal: true, admin: false, mount: {}, publicStatus: false };

/** The base class of `MaintenanceModule`, which makes `forRoot()` and `forRootAsync()`. */
export const { ConfigurableModuleClass } = new ConfigurableModuleBuilder<MaintenanceModuleOptions>({
  optionsInjectionToken: MODULE_OPTIONS_TOKEN,
})
  .setClassMethodName('forRoot')
  .setFactoryMethodName('createMaintenanceOptions')
  .setExtras(DEFAULT_EXTRAS, addExtras)
  .build();

function addExtras(
  definition: DynamicModule,
  // Of `forRoot()`, the builder passes the options too. An extra that is given as undefined has no default yet.
  { isGlobal = true, admin = false, mount = {}, publicStatus = false }: MaintenanceModuleExtras,
): DynamicModule {
  const extras: MaintenanceModuleExtras = { isGlobal, admin, mount, publicStatus };
  const adminMetadata = createAdminMetadata(admin);
  const guard = mount.guard === false ? [] : [{ provide: APP_GUARD, useExisting: MaintenanceGuard }];
  return {
    ...definition,
    global: isGlobal,
    imports: [
      ...(definition.imports ?? []),
      ...adminMetadata.imports,
      ConfigModule.forFeature(maintenanceConfig),
      BackgroundBootstrapModule,
    ],
    controllers: adminMetadata.controllers,
    providers: [
      ...(definition.providers ?? []),
      { provide: MODULE_EXTRAS, useValue: extras },
      ...maintenanceProviders,
      ...adminMetadata.providers,
      MaintenanceService,
      MaintenanceGuard,
      ...guard,
    ],
    // Besides the service: the dependencies of the guard, for applications that mount it themselves.
    exports: [
      MaintenanceService,
      StateStorage,
      StateMonitor,
      Clock,
      RESOLVED_OPTIONS,
      MaintenanceGuard,
      MaintenancePolicy,
      HandlerRulesReader,
      Responder,
      HttpIntegration,
      TransportAdapters,
      Announcer,
    ],
  };
}
