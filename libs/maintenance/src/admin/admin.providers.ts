import type { DynamicModule, Provider, Type } from '@nestjs/common';
import type { AdminOptions } from '../options/maintenance-options.js';
import { MaintenanceOptionsError } from '../errors/maintenance-options.error.js';
import type { ResolvedOptions } from '../options/resolved-options.js';
import { RESOLVED_OPTIONS } from '../maintenance.constants.js';
import { createAdminController } from './admin.controller.js';
import { AdminTokenGuard } from './admin-token.guard.js';
import { SameOriginGuard } from './same-origin.guard.js';

/** The metadata that the admin endpoints add to the module. */
export interface AdminModuleMetadata {
  imports: NonNullable<DynamicModule['imports']>;
  controllers: Type[];
  providers: Provider[];
}

const ADMIN_PROTECTION = Symbol.for('nestjs-maintenance:admin-protection');

/** Creates the controller and the providers of the admin endpoints; empty lists if the option is `false`. */
export function createAdminMetadata(option: boolean | AdminOptions): AdminModuleMetadata {
  if (option === false) return { imports: [], controllers: [], providers: [] };
  const { path = 'maintenance-mode', imports = [], guards = [], decorators = [] } = option === true ? {} : option;
  return {
    imports,
    controllers: [createAdminController(path, guards, decorators)],
    providers: [
      SameOriginGuard,
      AdminTokenGuard,
      {
        provide: ADMIN_PROTECTION,
        inject: [RESOLVED_OPTIONS],
        useFactory: (options: ResolvedOptions) => assertProtected(options, guards),
      },
    ],
  };
}

function assertProtected({ adminToken }: ResolvedOptions, guards: unknown[]): boolean {
  if (adminToken !== undefined || guards.length > 0) return true;
  throw new MaintenanceOptionsError(
    '`admin` is enabled without protection: set `adminToken` (environment: MAINTENANCE_ADMIN_TOKEN) or `admin.guards`.',
  );
}
