import { Module } from '@nestjs/common';
import { MaintenanceModule } from 'nestjs-maintenance';
import { MaintenanceCliModule } from 'nestjs-maintenance/cli';
import { CountOrdersCommand } from './count-orders.command.js';

/**
 * The shop's own program: `node apps/cli/dist/main.js orders:count`, and beside it `maintenance on`, `maintenance off` and
 * `maintenance status`. They work on the storage with which MaintenanceModule is registered, as in the shop itself.
 */
@Module({
  imports: [MaintenanceModule.forRoot(), MaintenanceCliModule],
  providers: [CountOrdersCommand],
})
export class ProgramModule {}
