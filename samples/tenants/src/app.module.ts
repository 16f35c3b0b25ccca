import { Module, type ExecutionContext } from '@nestjs/common';
import { APP_GUARD } from '@nestjs/core';
import { MaintenanceModule } from 'nestjs-maintenance';
import { BillingController } from './billing.controller.js';
import { OrdersController } from './orders.controller.js';
import { TenantGuard, type TenantRequest } from './tenant.guard.js';

@Module({
  imports: [
    MaintenanceModule.forRoot({
      // The guard of this module has run before, and set the tenant.
      scopesOf: (context: ExecutionContext) => [`tenant:${context.switchToHttp().getRequest<TenantRequest>().tenant}`],
    }),
  ],
  controllers: [OrdersController, BillingController],
  providers: [{ provide: APP_GUARD, useClass: TenantGuard }],
})
export class AppModule {}
