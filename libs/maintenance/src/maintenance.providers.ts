import type { Provider } from '@nestjs/common';
import { Subject } from 'rxjs';
import { BootWarnings } from './boot-warnings.js';
import type { MaintenanceStatus } from './core/maintenance-status.js';
import { drainProviders } from './drain/drain.providers.js';
import { httpProviders } from './http/http.providers.js';
import { backgroundProviders } from './jobs/background.module.js';
import { leasesProviders } from './leases/leases.providers.js';
import { SHUTDOWN_CONTROLLER, STATUS_CHANGES } from './maintenance.constants.js';
import { stateMonitorProvider } from './monitor.providers.js';
import { optionsProviders } from './options/options.providers.js';
import { policyProviders } from './policy/policy.providers.js';
import { storageProviders } from './storage/storage.providers.js';
import { transportsProvider } from './transports/transports.providers.js';
import { Clock, SystemClock } from './utils/clock.js';

/** The providers of the module, whatever its options. */
export const maintenanceProviders: Provider[] = [
  { provide: Clock, useClass: SystemClock },
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
  BootWarnings,
];
