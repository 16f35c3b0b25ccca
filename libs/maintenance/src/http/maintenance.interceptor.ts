import { Inject, Injectable, type CallHandler, type ExecutionContext, type NestInterceptor } from '@nestjs/common';
import type { Observable } from 'rxjs';
import { MaintenanceService } from '../maintenance.service.js';
import { Announcer } from './announcer.js';
import { createViewLocals } from './view-locals.js';

/**
 * Adds `maintenance`, `maintenanceMode` and `maintenanceAnnouncement` to the locals of a handler's response. On
 * Express, and on Fastify with `@fastify/view`, the module does that itself; use the interceptor with other adapters,
 * or where a view engine creates the locals.
 *
 * @example
 * ```ts
 * @UseInterceptors(MaintenanceInterceptor)
 * @Controller()
 * export class PagesController {}
 * ```
 */
@Injectable()
export class MaintenanceInterceptor implements NestInterceptor {
  readonly #locals: PropertyDescriptorMap;

  constructor(@Inject(MaintenanceService) maintenance: MaintenanceService, @Inject(Announcer) announcer: Announcer) {
    this.#locals = createViewLocals(() => maintenance.status(), announcer);
  }

  intercept(context: ExecutionContext, next: CallHandler): Observable<unknown> {
    if (context.getType() === 'http') {
      const response = context.switchToHttp().getResponse<{ locals?: object | null }>();
      response.locals = Object.defineProperties(response.locals ?? {}, this.#locals);
    }
    return next.handle();
  }
}
