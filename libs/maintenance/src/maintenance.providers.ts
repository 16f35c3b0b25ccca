import type { Provider } from '@nestjs/common';
import { DiscoveryService, HttpAdapterHost } from '@nestjs/core';
import { Subject } from 'rxjs';
import { BootWarnings } from './boot-warnings.js';
import type { MaintenanceStatus } from './core/maintenance-status.js';
import { drainProviders } from './drain/drain.providers.js';
import { httpProviders } from './http/http.providers.js';
import { backgroundProviders } from './jobs/background.module.js';
import { leasesProviders } from './leases/leases.providers.js';
import { maintenanceConfig } from './maintenance.config.js';
import {
  MODULE_EXTRAS,
  MODULE_OPTIONS_TOKEN,
  RESOLVED_OPTIONS,
  SHUTDOWN_CONTROLLER,
  STATUS_CHANGES,
} from './maintenance.constants.js';
import { stateMonitorProvider } from './monitor.providers.js';
import { optionsProviders } from './options/options.providers.js';
import { policyProviders } from './policy/policy.providers.js';
import { storageProviders } from './storage/storage.providers.js';
import { transportsProvider } from './transports/transports.providers.js';
import { Clock, SystemClock } from './utils/clock.js';
import { createProvider } from './utils/create-provider.js';

/** The providers of the module, whatever its options. */
export const maintenanceProviders: Provider[] = [
  { provide: Clock, useFactory: () => new SystemClock() },
  { provide: STATUS_CHANGES, useFactory: () => new Subject<MaintenanceStatus>() },
  { provide: SHUTDOWN_CONTROLLER, useFactory: () => new AbortController() },
  ...optionsProviders,
  ...storageProviders,
  stateMonitorProvider,
  ...drainProviders,
  ...leasesProviders,
  ...policyProviders,
  ...httpProviders,
  transportsProvider,
  ...backgroundProviders,
  createProvider(BootWarnings, [
    DiscoveryService,
    HttpAdapterHost,
    RESOLVED_OPTIONS,
    MODULE_OPTIONS_TOKEN,
    maintenanceConfig.KEY,
    MODULE_EXTRAS,
  ]),
];
