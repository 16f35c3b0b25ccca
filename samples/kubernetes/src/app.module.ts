import { Module } from '@nestjs/common';
import { TerminusModule } from '@nestjs/terminus';
import { MaintenanceModule } from 'nestjs-maintenance';
import { MaintenanceHealthIndicator } from 'nestjs-maintenance/terminus';
import { Database } from './database.js';
import { HealthController } from './health.controller.js';
import { OrdersController } from './orders.controller.js';

@Module({
  // The storage is MAINTENANCE_STORAGE, which the commands use, too.
  imports: [MaintenanceModule.forRoot(), TerminusModule],
  controllers: [HealthController, OrdersController],
  providers: [Database, MaintenanceHealthIndicator],
})
export class AppModule {}
