import type { Provider } from '@nestjs/common';
import { Subject } from 'rxjs';
import { Announcer } from './http/announcer.js';
import { BypassLink } from './http/bypass-link.js';
import { MaintenanceMiddleware } from './http/maintenance.middleware.js';
import { EarlierGuards } from './http/earlier-guards.js';
import { SharedEndpoints } from './http/shared-endpoints.js';
import { HttpIntegration } from './http/http-integration.js';
import { MaintenanceGuard } from './http/maintenance.guard.js';
import { PageRenderer } from './http/page/page-renderer.js';
import { Responder } from './http/responder.js';
import { RoutedHandlers } from './http/routed-handlers.js';
import { createViewLocals } from './http/view-locals.js';
import { FailureLog } from './utils/failure-log.js';
import { createIdentity } from './drain/instance-identity.js';
import { InstanceReporter } from './drain/instance-reporter.js';
import { LEASE_TIMES, type LeaseTimes } from './leases/lease-times.js';
import { TemporaryWindows } from './leases/temporary-windows.js';
import { MaintenanceLogger } from './utils/maintenance-logger.js';
import type { EnvironmentOptions } from './options/environment.js';
import type { MaintenanceModuleExtras, MaintenanceModuleOptions } from './options/maintenance-options.js';
import { MaintenanceOptionsError } from './errors/maintenance-options.error.js';
import { maintenanceConfig } from './maintenance.config.js';
import { resolveOptions, type ResolvedOptions } from './options/resolved-options.js';
import { HandlerRulesReader } from './policy/handler-rules.js';
import { MaintenancePolicy } from './policy/maintenance-policy.js';
import type { MountPoints } from './policy/probes.js';
import { Clock, SystemClock } from './utils/clock.js';
import { toIso } from './utils/dates.js';
import { InFlightTracker } from './drain/in-flight-tracker.js';
import type { MaintenanceStatus } from './core/maintenance-status.js';
import { toErrorMessage } from './utils/to-error-message.js';
import { StateMonitor } from './core/state-monitor.js';
import { createStatus } from './core/create-status.js';
import { FileStateStorage } from './storage/file/file-state-storage.js';
import { StateReader } from './storage/state-reader.js';
import { StateStorage } from './storage/state-storage.js';
import { createStorage } from './storage/create-storage.js';
import {
  STATUS_CHANGES,
  MODULE_EXTRAS,
  MODULE_OPTIONS_TOKEN,
  LEASE_TIMES_TOKEN,
  RESOLVED_OPTIONS,
  CLI_ONLY,
  SHUTDOWN_CONTROLLER,
} from './maintenance.constants.js';
import { wrapWithApplicationCache } from './storage/cache/application-cache.js';
import { backgroundProviders } from './jobs/background.module.js';
import { BootWarnings } from './boot-warnings.js';
import type { MaintenanceStatus } from './core/maintenance-status.js';
import { drainProviders } from './drain/drain.providers.js';
import { httpProviders } from './http/http.providers.js';
import { backgroundProvider } from './jobs/background.module.js';
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
  earlierGuardsProvider,
  BootWarnings,
];
