import type { DynamicModule, FactoryProvider, Provider, Type } from '@nestjs/common';
import { DiscoveryService, HttpAdapterHost } from '@nestjs/core';
import type { Observable } from 'rxjs';
import { StateMonitor } from '../core/state-monitor.js';
import { InstanceReporter } from '../drain/instance-reporter.js';
import { HttpIntegration } from '../http/http-integration.js';
import { Responder } from '../http/responder.js';
import type { AdminOptions, MaintenanceModuleOptions } from '../options/maintenance-options.js';
import { MaintenanceOptionsError } from '../errors/maintenance-options.error.js';
import type { ResolvedOptions } from '../options/resolved-options.js';
import {
  ADMIN_PANEL,
  MODULE_OPTIONS_TOKEN,
  RESOLVED_OPTIONS,
  SHUTDOWN_CONTROLLER,
  STATUS_CHANGES,
} from '../maintenance.constants.js';
import { StateStorage } from '../storage/state-storage.js';
import { Clock } from '../utils/clock.js';
import { createAdminControllers } from './admin.controller.js';
import { AdminTokenGuard } from './admin-token.guard.js';
import type { Panel } from './panel/panel.js';
import { SameOriginGuard } from './same-origin.guard.js';

/** The metadata that the admin endpoints add to the module. */
export interface AdminModuleMetadata {
  imports: NonNullable<DynamicModule['imports']>;
  controllers: Type[];
  providers: Provider[];
}

const ADMIN_OPENAPI = Symbol.for('nestjs-maintenance:admin-openapi');
const ADMIN_PROTECTION = Symbol.for('nestjs-maintenance:admin-protection');

const panelProvider: FactoryProvider<Panel> = {
  provide: ADMIN_PANEL,
  inject: [
    RESOLVED_OPTIONS,
    { token: MODULE_OPTIONS_TOKEN, optional: true },
    StateMonitor,
    StateStorage,
    DiscoveryService,
    Clock,
    HttpAdapterHost,
    HttpIntegration,
    Responder,
    InstanceReporter,
    STATUS_CHANGES,
    SHUTDOWN_CONTROLLER,
  ],
  useFactory: async (
    options: ResolvedOptions,
    given: MaintenanceModuleOptions | null,
    monitor: StateMonitor,
    storage: StateStorage,
    discovery: DiscoveryService,
    clock: Clock,
    host: HttpAdapterHost,
    httpIntegration: HttpIntegration,
    responder: Responder,
    reporter: InstanceReporter,
    changes: Observable<unknown>,
    shutdownController: AbortController,
  ): Promise<Panel> => {
    // Loaded on use: most applications have no panel.
    const { Panel } = await import('./panel/panel.js');
    const { signal: shutdown } = shutdownController;
    return new Panel({
      ...{ options, given, monitor, storage, discovery, clock, host },
      ...{ httpIntegration, responder, reporter, changes, shutdown },
    });
  },
};

/** Creates the controllers and the providers of the admin endpoints; empty lists if the option is `false`. */
export function createAdminMetadata(option: boolean | AdminOptions): AdminModuleMetadata {
  if (option === false) return { imports: [], controllers: [], providers: [] };
  const admin = option === true ? {} : option;
  const {
    path = 'maintenance-mode',
    imports = [],
    guards = [],
    decorators = [],
    panel = false,
    openapi = false,
  } = admin;
  const controllers = createAdminControllers({ path, guards, decorators, panel, openapi });
  return {
    imports,
    controllers,
    providers: [
      SameOriginGuard,
      AdminTokenGuard,
      ...(panel ? [panelProvider] : []),
      ...(openapi ? [createOpenApiProvider(controllers, guards.length > 0)] : []),
      {
        provide: ADMIN_PROTECTION,
        inject: [RESOLVED_OPTIONS],
        useFactory: (options: ResolvedOptions) => assertProtected(options, guards),
      },
    ],
  };
}

/** Describes the endpoints before the application can create its document. */
function createOpenApiProvider([admin, panel]: Type[], hasOwnGuards: boolean): Provider {
  return {
    provide: ADMIN_OPENAPI,
    useFactory: async () =>
      (await import('./openapi.js')).describeAdminEndpoints({ admin: admin!, panel: panel ?? null }, hasOwnGuards),
  };
}

function assertProtected({ adminToken, viewerToken }: ResolvedOptions, guards: unknown[]): boolean {
  if (adminToken === undefined && viewerToken !== undefined)
    throw new MaintenanceOptionsError(
      '`viewerToken` is set without `adminToken`: set both (environment: MAINTENANCE_ADMIN_TOKEN, ' +
        'MAINTENANCE_VIEWER_TOKEN), or neither.',
    );
  if (adminToken !== undefined || guards.length > 0) return true;
  throw new MaintenanceOptionsError(
    '`admin` is enabled without protection: set `adminToken` (environment: MAINTENANCE_ADMIN_TOKEN) or `admin.guards`.',
  );
}
