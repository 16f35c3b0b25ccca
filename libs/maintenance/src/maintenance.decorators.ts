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
 * Keeps a controller or a handler reachable during maintenance. The handler's mark beats the class's.
 *
 * @param skip - `false` on a handler undoes the mark of its class. Default: `true`
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
 * Refuses a controller or a handler always, as if maintenance were on. It wins over `@SkipMaintenance()` at the same place;
 * a handler's `@SkipMaintenance()` wins over the class's `@ForceMaintenance()`.
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
 * Names the parts of the application that a controller or a handler belongs to, so that a window can close just these. The
 * names of the class and of the handler add up. A window on `'*'` closes them all.
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
 * Says whether a handler reads or writes, where the HTTP method says something else: a window in the mode `read-only` admits
 * what reads. Default by method: GET, HEAD and OPTIONS read, the others write.
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
 * Lets a scheduled method or a queue's processor go on during maintenance, where `background.pause` makes background work rest: it is
 * neither paused nor waited for. On a class it means all of its methods; the method's mark beats the class's.
 *
 * @param run - `false` on a method undoes the mark of its class. Default: `true`
 *
 * @example
 * ```ts
 * @RunInMaintenance()
 * @Cron('* * * * *')
 * renewCertificates() {}
 * ```
 */
export const RunInMaintenance = (run = true): CustomDecorator<symbol> => SetMetadata(RUN_METADATA, run);
