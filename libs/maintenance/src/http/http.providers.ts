import type { Provider } from '@nestjs/common';
import { HttpAdapterHost } from '@nestjs/core';
import type { Subject } from 'rxjs';
import { createStatus } from '../core/create-status.js';
import type { MaintenanceStatus } from '../core/maintenance-status.js';
import { StateMonitor } from '../core/state-monitor.js';
import { InFlightTracker } from '../drain/in-flight-tracker.js';
import {
  MODULE_EXTRAS,
  PUBLIC_STATUS,
  RESOLVED_OPTIONS,
  SHUTDOWN_CONTROLLER,
  STATUS_CHANGES,
} from '../maintenance.constants.js';
import type { MaintenanceModuleExtras } from '../options/maintenance-options.js';
import type { ResolvedOptions } from '../options/resolved-options.js';
import { HandlerRulesReader } from '../policy/handler-rules.js';
import { MaintenancePolicy } from '../policy/maintenance-policy.js';
import { StateStorage } from '../storage/state-storage.js';
import { Clock } from '../utils/clock.js';
import { createProvider } from '../utils/create-provider.js';
import { Announcer } from './announcer.js';
import { BypassLink } from './bypass-link.js';
import { EarlierGuards } from './earlier-guards.js';
import { HttpIntegration } from './http-integration.js';
import { HttpTransport } from './http-transport.js';
import { MaintenanceGuard } from './maintenance.guard.js';
import { MaintenanceMiddleware } from './maintenance.middleware.js';
import { PageRenderer } from '../page/page-renderer.js';
import type { PublicStatusEndpoints } from './public-status/public-status-endpoints.js';
import { Responder } from './responder.js';
import { RoutedHandlers } from './routed-handlers.js';
import { SharedEndpoints } from './shared-endpoints.js';
import { createViewLocals } from './view-locals.js';

const announcerProvider: Provider = {
  provide: Announcer,
  inject: [RESOLVED_OPTIONS, StateMonitor, Clock, STATUS_CHANGES],
  useFactory: (
    { announce }: ResolvedOptions,
    state: StateMonitor,
    clock: Clock,
    changes: Subject<MaintenanceStatus>,
  ): Announcer => {
    const announcer = new Announcer(announce.before, state, clock);
    if (announce.before !== undefined) changes.subscribe(() => announcer.refresh());
    return announcer;
  },
};

const responderProvider: Provider = {
  provide: Responder,
  inject: [RESOLVED_OPTIONS, Clock],
  useFactory: async ({ response }: ResolvedOptions, clock: Clock) =>
    new Responder(response, await PageRenderer.create(response), clock),
};

const httpIntegrationProvider: Provider = {
  provide: HttpIntegration,
  inject: [
    HttpAdapterHost,
    MaintenancePolicy,
    HandlerRulesReader,
    Responder,
    StateMonitor,
    StateStorage,
    MODULE_EXTRAS,
    SharedEndpoints,
    Announcer,
    Clock,
    RESOLVED_OPTIONS,
    InFlightTracker,
  ],
  useFactory: (
    host: HttpAdapterHost,
    policy: MaintenancePolicy,
    reader: HandlerRulesReader,
    responder: Responder,
    monitor: StateMonitor,
    storage: StateStorage,
    extras: MaintenanceModuleExtras,
    endpoints: SharedEndpoints,
    announcer: Announcer,
    clock: Clock,
    { bypass }: ResolvedOptions,
    inFlight: InFlightTracker,
  ) => {
    const handlers = new RoutedHandlers(reader, extras.mount?.guard === false ? MaintenanceGuard : null);
    const link = new BypassLink(bypass.cookieName, clock, () => monitor.getSnapshot().active);
    const middleware =
      extras.mount?.edge === false ? null : new MaintenanceMiddleware(policy, handlers, responder, endpoints, link);
    const viewLocals = createViewLocals(() => createStatus(monitor, storage), announcer);
    const tracking = { inFlight, policy, endpoints };
    return new HttpIntegration(
      host,
      {
        middleware,
        handlers,
        hasAdminEndpoints: Boolean(extras.admin),
        endpoints,
        announcer,
        viewLocals,
        tracking,
        clock,
      },
      responder,
    );
  },
};

const publicStatusProvider: Provider = {
  provide: PUBLIC_STATUS,
  inject: [
    MODULE_EXTRAS,
    HttpIntegration,
    MaintenancePolicy,
    StateMonitor,
    RESOLVED_OPTIONS,
    STATUS_CHANGES,
    Clock,
    SHUTDOWN_CONTROLLER,
  ],
  useFactory: async (
    { publicStatus = false }: MaintenanceModuleExtras,
    httpIntegration: HttpIntegration,
    policy: MaintenancePolicy,
    monitor: StateMonitor,
    { response }: ResolvedOptions,
    changes: Subject<MaintenanceStatus>,
    clock: Clock,
    { signal: shutdown }: AbortController,
  ): Promise<PublicStatusEndpoints | null> => {
    if (publicStatus === false) return null;
    const { createPublicStatusEndpoints } = await import('./public-status/create-public-status-endpoints.js');
    const { path } = publicStatus === true ? {} : publicStatus;
    return createPublicStatusEndpoints({ path, httpIntegration, policy, monitor, response, changes, clock, shutdown });
  },
};

/** The providers of http/. */
export const httpProviders: Provider[] = [
  createProvider(SharedEndpoints),
  announcerProvider,
  responderProvider,
  httpIntegrationProvider,
  createProvider(HttpTransport, [HandlerRulesReader, Responder, HttpIntegration]),
  publicStatusProvider,
  createProvider(EarlierGuards, [MaintenancePolicy, MaintenanceGuard, HttpIntegration]),
];
