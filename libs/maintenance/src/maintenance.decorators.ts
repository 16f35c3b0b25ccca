import { SetMetadata, type CustomDecorator } from '@nestjs/common';
import {
  ACCESS_METADATA,
  FORCE_METADATA,
  RUN_METADATA,
  SCOPES_METADATA,
  SKIP_METADATA,
} from './maintenance.constants.js';
import type { Access } from './policy/handler-rules.js';

/**
 * Admits the calls of a controller or a handler during maintenance. A decorator on the handler overrides that on the
 * class.
 *
 * @param skip - `false` on a handler undoes the decorator on its class. Default: `true`
 * @returns the decorator
 *
 * @example
 * ```ts
 * @SkipMaintenance()
 * @Controller('webhooks')
 * export class WebhooksController {}
 * ```
 */
export const SkipMaintenance = (skip = true): CustomDecorator<symbol> => SetMetadata(SKIP_METADATA, skip);

/**
 * Refuses the calls of a controller or a handler always, as if maintenance were on. It overrides `@SkipMaintenance()`
 * on the same class or handler. `@SkipMaintenance()` on a handler overrides `@ForceMaintenance()` on the class.
 *
 * @returns the decorator
 *
 * @example
 * ```ts
 * @ForceMaintenance()
 * @Post('exports')
 * createExport() {}
 * ```
 */
export const ForceMaintenance = (): CustomDecorator<symbol> => SetMetadata(FORCE_METADATA, true);

/**
 * Assigns scopes to a controller or a handler, so that a window on one of them refuses only its calls. A handler has
 * its own scopes and those of its class. A window on `'*'` covers every scope.
 *
 * @param scopes - the scopes
 * @returns the decorator
 *
 * @example
 * ```ts
 * @MaintenanceScope('payments')
 * @Controller('checkout')
 * export class CheckoutController {}
 * ```
 */
export const MaintenanceScope = (...scopes: [string, ...string[]]): CustomDecorator<symbol> =>
  SetMetadata(SCOPES_METADATA, scopes);

/**
 * Marks a handler as reading or writing, if its HTTP method suggests otherwise. A window in the mode `read-only` admits
 * the handlers that read: by default GET, HEAD and OPTIONS.
 *
 * @param access - `read` or `write`
 * @returns the decorator
 *
 * @example
 * ```ts
 * @MaintenanceAccess('read')
 * @Post('search')
 * search(@Body() query: Query) {}
 * ```
 */
export const MaintenanceAccess = (access: Access): CustomDecorator<symbol> => SetMetadata(ACCESS_METADATA, access);

/**
 * Keeps a scheduled method or a queue processor running during maintenance, although `background.pause` pauses
 * background jobs. A drain does not wait for it. On a class it applies to all methods; a decorator on the method
 * overrides it.
 *
 * @param run - `false` on a method undoes the decorator on its class. Default: `true`
 * @returns the decorator
 *
 * @example
 * ```ts
 * @RunInMaintenance()
 * @Cron('* * * * *')
 * renewCertificates() {}
 * ```
 */
export const RunInMaintenance = (run = true): CustomDecorator<symbol> => SetMetadata(RUN_METADATA, run);
