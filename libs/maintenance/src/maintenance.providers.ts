import { VersioningType, type Provider } from '@nestjs/common';
import { ApplicationConfig, HttpAdapterHost, ModuleRef, ModulesContainer } from '@nestjs/core';
import { Subject } from 'rxjs';
import { Announcer } from './http/announcer.js';
import { BypassLink } from './http/bypass-link.js';
import { Edge } from './http/edge.js';
import { EarlierGuards } from './http/earlier-guards.js';
import { EdgeEndpoints } from './http/edge-endpoints.js';
import { HttpMount } from './http/http-mount.js';
import { MaintenanceGuard } from './http/maintenance.guard.js';
import { PageRenderer } from './http/page/page-renderer.js';
import { Responder } from './http/responder.js';
import { RoutedHandlers } from './http/routed-handlers.js';
import { viewLocals } from './http/view-locals.js';
import { FailureLog } from './utils/failure-log.js';
import { newIdentity } from './drain/identity.js';
import { Reporter } from './drain/reporter.js';
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
import { InFlight } from './drain/in-flight.js';
import type { MaintenanceStatus } from './core/maintenance-status.js';
import { reasonOf } from './utils/reason-of.js';
import { StateMonitor } from './core/state-monitor.js';
import { statusOf } from './core/status-of.js';
import { FileStateStorage } from './storage/file/file-state-storage.js';
import { StateReader } from './storage/state-reader.js';
import { StateStorage } from './storage/state-storage.js';
import { storageFromUrl } from './storage/create-storage.js';
import { CHANGES, EXTRAS, GIVEN_OPTIONS, LEASE, OPTIONS, PROGRAM, SHUTDOWN } from './maintenance.constants.js';
import { withApplicationCache } from './storage/cache/application-cache.js';
import { background } from './jobs/jobs.providers.js';
import { BootWarnings } from './boot-warnings.js';
import { publishChange } from './core/publisher/change-channel.js';
import { HistoryNews } from './core/publisher/history-news.js';
import { ScopeCheck } from './core/publisher/scope-check.js';
import { StateLog } from './core/publisher/state-log.js';
import { StatusNews } from './core/publisher/status-news.js';
import { transports } from './transports/transports.providers.js';

const options: Provider = {
  provide: OPTIONS,
  inject: [GIVEN_OPTIONS, maintenanceConfig.KEY],
  useFactory: (given: MaintenanceModuleOptions, fromEnvironment: EnvironmentOptions) =>
    resolveOptions(given ?? {}, fromEnvironment),
};

const storage: Provider = {
  provide: StateStorage,
  inject: [OPTIONS, ModuleRef],
  useFactory: async (given: ResolvedOptions, modules: ModuleRef): Promise<StateStorage> => {
    const { cache, refreshInterval } = given;
    const named = await storageOf(given);
    return cache ? withApplicationCache(named, cache, refreshInterval, modules) : named;
  },
};

async function storageOf({ storage }: ResolvedOptions): Promise<StateStorage> {
  if (typeof storage === 'object') return storage;
  try {
    return await storageFromUrl(storage);
  } catch (error) {
    throw new MaintenanceOptionsError(
      `the option \`storage\` (environment: MAINTENANCE_STORAGE) can't be used: ${reasonOf(error)}.`,
      {
        cause: error,
      },
    );
  }
}

const monitor: Provider = {
  provide: StateMonitor,
  inject: [OPTIONS, StateStorage, Clock, CHANGES, ModulesContainer, Reporter, GIVEN_OPTIONS],
  useFactory: async (
    { enabled, refreshInterval, onStorageFailure, scopesOf }: ResolvedOptions,
    source: StateStorage,
    clock: Clock,
    changes: Subject<MaintenanceStatus>,
    modules: ModulesContainer,
    reporter: Reporter,
    given: MaintenanceModuleOptions | null,
  ): Promise<StateMonitor> => {
    const log = new StateLog(source.location, howToTurnOn(given?.storage, source));
    const news = new HistoryNews();
    const statuses = new StatusNews();
    const scopes = new ScopeCheck(modules, scopesOf !== undefined);
    const reader = new StateReader(source);
    const started: StateMonitor = new StateMonitor({
      source: { read: () => reader.read(), ...(source.watch && { watch: (changed) => source.watch!(changed) }) },
      clock,
      refreshInterval,
      onStorageFailure,
      enabled,
      // A file has no caches and no copies that could be behind.
      ...(source instanceof FileStateStorage && { olderRevisionPatience: 0 }),
      changed: () => {
        const status = statusOf(started, source);
        const changed = news.of(started.state);
        const isNews = statuses.isNews(status, started.state);
        // Who waits for the revision has to know of it.
        if (!isNews && changed.length === 0) return reporter.changed();
        log.changed(status, started.state, changed);
        scopes.check(status);
        publishChange({ status, changes: changed });
        reporter.changed();
        changes.next(status);
      },
      healthChanged: (error) => log.healthChanged(error, onStorageFailure),
    });
    await reporter.join();
    // Who injects the service finds the answer ready, whatever the order in which modules are initialized.
    await started.start();
    if (!isProgram(modules)) log.started(statusOf(started, source));
    return started;
  },
};

/** Whether the application is a program of commands. */
function isProgram(modules: ModulesContainer): boolean {
  return [...modules.values()].some((module) => module.providers.has(PROGRAM));
}

/** @param given - the storage that the options name in code; without it, the command looks for the storage as the application does */
function howToTurnOn(given: MaintenanceModuleOptions['storage'], { kind, location }: StateStorage): string {
  if (given === undefined) return 'Turn it on with: npx nestjs-maintenance on';
  if (kind === 'file')
    return `Turn it on with: npx nestjs-maintenance on --storage ${JSON.stringify(`file:${location}`)}`;
  if (typeof given === 'string')
    return 'Turn it on with: npx nestjs-maintenance on --storage <url>, as in the option `storage`.';
  return 'Turn it on with MaintenanceService.enable().';
}

const reporter: Provider = {
  provide: Reporter,
  inject: [OPTIONS, StateStorage, Clock, ModulesContainer],
  useFactory: (
    { application, appVersion, startFile }: ResolvedOptions,
    source: StateStorage,
    clock: Clock,
    modules: ModulesContainer,
  ): Reporter => {
    const logger = new MaintenanceLogger();
    return new Reporter({
      identity: newIdentity({
        application,
        ...(startFile !== undefined && { startFile }),
        ...(appVersion !== undefined && { appVersion }),
      }),
      storage: isProgram(modules) ? null : source,
      clock,
      isShared: (applications) =>
        logger.warn(
          `Instances of ${applications.length} applications report on ${source.location}: ${applications.join(', ')}. ` +
            'Each change of maintenance is a change for all of them. Give each application a storage of its own: another file, key or bucket.',
        ),
      failed: (error) => {
        if (error === null) logger.log(`Reports of this instance are written to ${source.location} again.`);
        else
          logger.warn(
            `Reports of this instance can't be written, so \`on --wait\` does not count it: ${reasonOf(error)}`,
          );
      },
    });
  },
};

const inFlight: Provider = {
  provide: InFlight,
  inject: [Clock, StateMonitor, Reporter],
  useFactory: (clock: Clock, state: StateMonitor, reports: Reporter): InFlight => {
    const work = new InFlight(clock, () => state.situation());
    reports.follow(state, work);
    return work;
  },
};

const temporary: Provider = {
  provide: TemporaryWindows,
  inject: [StateStorage, StateMonitor, Clock, CHANGES, SHUTDOWN, LEASE],
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
      leftOpen: (id, until, error) =>
        new MaintenanceLogger().error(
          `The maintenance window ${id} could not be closed after its work, so it stays open until ${toIso(until)}: ${reasonOf(error)}`,
        ),
    }),
};

const announcer: Provider = {
  provide: Announcer,
  inject: [OPTIONS, StateMonitor, Clock, CHANGES],
  useFactory: (
    { announce }: ResolvedOptions,
    state: StateMonitor,
    clock: Clock,
    changes: Subject<MaintenanceStatus>,
  ): Announcer => {
    const made = new Announcer(announce.before, state, clock);
    if (announce.before !== undefined) changes.subscribe(() => made.review());
    return made;
  },
};

const policy: Provider = {
  provide: MaintenancePolicy,
  inject: [OPTIONS, StateMonitor, Clock, ApplicationConfig],
  useFactory: (
    { exempt, response, scopesOf, bypass }: ResolvedOptions,
    state: StateMonitor,
    clock: Clock,
    config: ApplicationConfig,
  ) => {
    const failures = new FailureLog(clock);
    return new MaintenancePolicy(state, clock, {
      exemptions: { ...exempt, mountPoints: () => findMountPoints(config) },
      scopesOf,
      bypassCookie: bypass.cookieName,
      retryAfter: response.retryAfter,
      failed: (option, error) =>
        failures.error(option, () => `\`${option}\` could not decide, so the caller was refused: ${reasonOf(error)}`),
    });
  },
};

const responder: Provider = {
  provide: Responder,
  inject: [OPTIONS, Clock],
  useFactory: async ({ response }: ResolvedOptions, clock: Clock) =>
    new Responder(response, await PageRenderer.create(response.template), clock),
};

const mount: Provider = {
  provide: HttpMount,
  inject: [
    HttpAdapterHost,
    MaintenancePolicy,
    HandlerRulesReader,
    Responder,
    StateMonitor,
    StateStorage,
    EXTRAS,
    EdgeEndpoints,
    Announcer,
    Clock,
    OPTIONS,
    InFlight,
  ],
  useFactory: (
    host: HttpAdapterHost,
    rules: MaintenancePolicy,
    reader: HandlerRulesReader,
    answers: Responder,
    state: StateMonitor,
    source: StateStorage,
    extras: MaintenanceModuleExtras,
    endpoints: EdgeEndpoints,
    announcer: Announcer,
    clock: Clock,
    { bypass }: ResolvedOptions,
    work: InFlight,
  ) => {
    const handlers = new RoutedHandlers(reader, extras.mount?.guard === false ? MaintenanceGuard : null);
    const link = new BypassLink(bypass.cookieName, clock, () => state.situation().active);
    const edge = extras.mount?.edge === false ? null : new Edge(rules, handlers, answers, endpoints, link);
    const locals = viewLocals(() => statusOf(state, source), announcer);
    const tracking = { inFlight: work, policy: rules, endpoints };
    return new HttpMount(host, { edge, handlers, endpoints, announcer, viewLocals: locals, tracking, clock }, answers);
  },
};

const earlierGuards: Provider = {
  provide: EarlierGuards,
  inject: [MaintenancePolicy, MaintenanceGuard, HttpMount],
  useFactory: (rules: MaintenancePolicy, guard: MaintenanceGuard, { handlers }: HttpMount) =>
    new EarlierGuards(rules, guard, handlers),
};

function findMountPoints(config: ApplicationConfig): MountPoints {
  const prefix = config.getGlobalPrefix().replace(/^\/+|\/+$/g, '');
  const versioning = config.getVersioning();
  // `prefix: false` puts the bare version into the path.
  const versionPrefix = versioning?.type === VersioningType.URI ? (versioning.prefix ?? 'v') || '' : null;
  return { globalPrefix: prefix && `/${prefix}`, versionPrefix };
}

/** What the module provides whatever its options. */
export const providers: Provider[] = [
  { provide: Clock, useClass: SystemClock },
  { provide: CHANGES, useFactory: () => new Subject<MaintenanceStatus>() },
  { provide: SHUTDOWN, useFactory: () => new AbortController() },
  { provide: LEASE, useValue: LEASE_TIMES },
  HandlerRulesReader,
  EdgeEndpoints,
  options,
  storage,
  reporter,
  monitor,
  inFlight,
  temporary,
  announcer,
  policy,
  responder,
  mount,
  transports,
  background,
  earlierGuards,
  BootWarnings,
];
