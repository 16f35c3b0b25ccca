import { Module } from '@nestjs/common';
import { MaintenanceModule } from 'nestjs-maintenance';
import { MaintenanceCliModule } from 'nestjs-maintenance/cli';
import { CountOrdersCommand } from './count-orders.command.js';

/**
 * The command-line program of the shop: `node apps/cli/dist/main.js orders:count`, plus `maintenance on`,
 * `maintenance off` and `maintenance status`. All commands use the storage of `MaintenanceModule.forRoot()`, like the
 * shop itself.
 */
@Module({
  imports: [MaintenanceModule.forRoot(), MaintenanceCliModule],
  providers: [CountOrdersCommand],
})
export class ProgramModule {}
