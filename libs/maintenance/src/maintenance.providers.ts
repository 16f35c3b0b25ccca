import { VersioningType, type Provider } from '@nestjs/common';
import { ApplicationConfig, ModuleRef, ModulesContainer } from '@nestjs/core';
import { Subject } from 'rxjs';
import { httpProviders } from './http/http.providers.js';
import { FailureLog } from './utils/failure-log.js';
import { createIdentity } from './drain/instance-identity.js';
import { InstanceReporter } from './drain/instance-reporter.js';
import { LEASE_TIMES, type LeaseTimes } from './leases/lease-times.js';
import { TemporaryWindows } from './leases/temporary-windows.js';
import { MaintenanceLogger } from './utils/maintenance-logger.js';
import type { EnvironmentOptions } from './options/environment.js';
import type { MaintenanceModuleOptions } from './options/maintenance-options.js';
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
  MODULE_OPTIONS_TOKEN,
  LEASE_TIMES_TOKEN,
  RESOLVED_OPTIONS,
  CLI_ONLY,
  SHUTDOWN_CONTROLLER,
} from './maintenance.constants.js';
import { wrapWithApplicationCache } from './storage/cache/application-cache.js';
import { backgroundProvider } from './jobs/background.module.js';
import { BootWarnings } from './boot-warnings.js';
import { publishChange } from './core/publisher/change-channel.js';
import { HistoryCursor } from './core/publisher/history-cursor.js';
import { ScopeCheck } from './core/publisher/scope-check.js';
import { StateLog } from './core/publisher/state-log.js';
import { StatusDiff } from './core/publisher/status-diff.js';
import { transportsProvider } from './transports/transports.providers.js';

const resolvedOptionsProvider: Provider = {
  provide: RESOLVED_OPTIONS,
  inject: [MODULE_OPTIONS_TOKEN, maintenanceConfig.KEY],
  useFactory: (given: MaintenanceModuleOptions, fromEnvironment: EnvironmentOptions) =>
    resolveOptions(given ?? {}, fromEnvironment),
};

const storageProvider: Provider = {
  provide: StateStorage,
  inject: [RESOLVED_OPTIONS, ModuleRef],
  useFactory: async (given: ResolvedOptions, modules: ModuleRef): Promise<StateStorage> => {
    const { cache, refreshInterval } = given;
    const named = await createConfiguredStorage(given);
    return cache ? wrapWithApplicationCache(named, cache, refreshInterval, modules) : named;
  },
};

async function createConfiguredStorage({ storage }: ResolvedOptions): Promise<StateStorage> {
  if (typeof storage === 'object') return storage;
  try {
    return await createStorage(storage);
  } catch (error) {
    throw new MaintenanceOptionsError(
      `the option \`storage\` (environment: MAINTENANCE_STORAGE) can't be used: ${toErrorMessage(error)}.`,
      {
        cause: error,
      },
    );
  }
}

const stateMonitorProvider: Provider = {
  provide: StateMonitor,
  inject: [
    RESOLVED_OPTIONS,
    StateStorage,
    Clock,
    STATUS_CHANGES,
    ModulesContainer,
    InstanceReporter,
    MODULE_OPTIONS_TOKEN,
  ],
  useFactory: async (
    { enabled, refreshInterval, onStorageFailure, scopesOf }: ResolvedOptions,
    source: StateStorage,
    clock: Clock,
    changes: Subject<MaintenanceStatus>,
    modules: ModulesContainer,
    reporter: InstanceReporter,
    given: MaintenanceModuleOptions | null,
  ): Promise<StateMonitor> => {
    const log = new StateLog(source.location, describeHowToTurnOn(given?.storage, source));
    const news = new HistoryCursor();
    const statuses = new StatusDiff();
    const scopes = new ScopeCheck(modules, scopesOf !== undefined);
    const reader = new StateReader(source);
    const started: StateMonitor = new StateMonitor({
      source: { read: () => reader.read(), ...(source.watch && { watch: (changed) => source.watch!(changed) }) },
      clock,
      refreshInterval,
      onStorageFailure,
      enabled,
      // A file has no caches and no copies that could be behind.
      ...(source instanceof FileStateStorage && { staleReadGracePeriodMs: 0 }),
      onChange: () => {
        const status = createStatus(started, source);
        const changed = news.takeNew(started.state);
        const isNews = statuses.hasChanged(status, started.state);
        // Who waits for the revision has to know of it.
        if (!isNews && changed.length === 0) return reporter.onStateChange();
        log.logChange(status, started.state, changed);
        scopes.warnOfUnknownScopes(status);
        publishChange({ status, changes: changed });
        reporter.onStateChange();
        changes.next(status);
      },
      onHealthChange: (error) => log.logHealthChange(error, onStorageFailure),
    });
    await reporter.sendFirstReport();
    // Who injects the service finds the answer ready, whatever the order in which modules are initialized.
    await started.start();
    if (!isCliOnly(modules)) log.logStart(createStatus(started, source));
    return started;
  },
};

/** Whether the application is a program of commands. */
function isCliOnly(modules: ModulesContainer): boolean {
  return [...modules.values()].some((module) => module.providers.has(CLI_ONLY));
}

/** @param given - the storage that the options name in code; without it, the command looks for the storage as the application does */
function describeHowToTurnOn(given: MaintenanceModuleOptions['storage'], { kind, location }: StateStorage): string {
  if (given === undefined) return 'Turn it on with: npx nestjs-maintenance on';
  if (kind === 'file')
    return `Turn it on with: npx nestjs-maintenance on --storage ${JSON.stringify(`file:${location}`)}`;
  if (typeof given === 'string')
    return 'Turn it on with: npx nestjs-maintenance on --storage <url>, as in the option `storage`.';
  return 'Turn it on with MaintenanceService.enable().';
}

const reporterProvider: Provider = {
  provide: InstanceReporter,
  inject: [RESOLVED_OPTIONS, StateStorage, Clock, ModulesContainer],
  useFactory: (
    { application, appVersion, startFile }: ResolvedOptions,
    source: StateStorage,
    clock: Clock,
    modules: ModulesContainer,
  ): InstanceReporter => {
    const logger = new MaintenanceLogger();
    return new InstanceReporter({
      identity: createIdentity({
        application,
        ...(startFile !== undefined && { startFile }),
        ...(appVersion !== undefined && { appVersion }),
      }),
      storage: isCliOnly(modules) ? null : source,
      clock,
      onSharedStorage: (applications) =>
        logger.warn(
          `Instances of ${applications.length} applications report on ${source.location}: ${applications.join(', ')}. ` +
            'Each change of maintenance is a change for all of them. Give each application a storage of its own: another file, key or bucket.',
        ),
      onFailure: (error) => {
        if (error === null) logger.log(`Reports of this instance are written to ${source.location} again.`);
        else
          logger.warn(
            `Reports of this instance can't be written, so \`on --wait\` does not count it: ${toErrorMessage(error)}`,
          );
      },
    });
  },
};

const inFlightProvider: Provider = {
  provide: InFlightTracker,
  inject: [Clock, StateMonitor, InstanceReporter],
  useFactory: (clock: Clock, state: StateMonitor, reports: InstanceReporter): InFlightTracker => {
    const work = new InFlightTracker(clock, () => state.getSnapshot());
    reports.start(state, work);
    return work;
  },
};

const temporaryWindowsProvider: Provider = {
  provide: TemporaryWindows,
  inject: [StateStorage, StateMonitor, Clock, STATUS_CHANGES, SHUTDOWN_CONTROLLER, LEASE_TIMES_TOKEN],
  useFactory: (
    source: StateStorage,
    state: StateMonitor,
    clock: Clock,
    changes: Subject<MaintenanceStatus>,
    { signal: shutdown }: AbortController,
    times: LeaseTimes,
  ): TemporaryWindows =>
    new TemporaryWindows({
      storage: source,
      monitor: state,
      changes,
      clock,
      times,
      shutdown,
      onCloseFailed: (id, until, error) =>
        new MaintenanceLogger().error(
          `The maintenance window ${id} could not be closed after its work, so it stays open until ${toIso(until)}: ${toErrorMessage(error)}`,
        ),
    }),
};

const policyProvider: Provider = {
  provide: MaintenancePolicy,
  inject: [RESOLVED_OPTIONS, StateMonitor, Clock, ApplicationConfig],
  useFactory: (
    { exempt, response, scopesOf, bypass }: ResolvedOptions,
    state: StateMonitor,
    clock: Clock,
    config: ApplicationConfig,
  ) => {
    const failures = new FailureLog(clock);
    return new MaintenancePolicy(state, clock, {
      exemptions: { ...exempt, getMountPoints: () => findMountPoints(config) },
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

function findMountPoints(config: ApplicationConfig): MountPoints {
  const prefix = config.getGlobalPrefix().replace(/^\/+|\/+$/g, '');
  const versioning = config.getVersioning();
  // `prefix: false` puts the bare version into the path.
  const versionPrefix = versioning?.type === VersioningType.URI ? (versioning.prefix ?? 'v') || '' : null;
  return { globalPrefix: prefix && `/${prefix}`, versionPrefix };
}

/** What the module provides whatever its options. */
export const maintenanceProviders: Provider[] = [
  { provide: Clock, useClass: SystemClock },
  { provide: STATUS_CHANGES, useFactory: () => new Subject<MaintenanceStatus>() },
  { provide: SHUTDOWN_CONTROLLER, useFactory: () => new AbortController() },
  { provide: LEASE_TIMES_TOKEN, useValue: LEASE_TIMES },
  HandlerRulesReader,
  resolvedOptionsProvider,
  storageProvider,
  reporterProvider,
  stateMonitorProvider,
  inFlightProvider,
  temporaryWindowsProvider,
  policyProvider,
  ...httpProviders,
  transportsProvider,
  backgroundProvider,
  BootWarnings,
];
