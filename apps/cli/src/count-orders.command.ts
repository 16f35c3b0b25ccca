import { Inject } from '@nestjs/common';
import { Command, CommandRunner } from 'nest-commander';
import { MaintenanceService } from 'nestjs-maintenance';

const ORDERS = [{ paid: true }, { paid: true }, { paid: false }];

/** A custom command of the shop. It injects `MaintenanceService` like any other provider. */
@Command({ name: 'orders:count', description: 'count the orders' })
export class CountOrdersCommand extends CommandRunner {
  constructor(@Inject(MaintenanceService) private readonly maintenance: MaintenanceService) {
    super();
  }

  override async run(): Promise<void> {
    const paid = ORDERS.filter((order) => order.paid).length;
    const note = this.maintenance.isActive() ? ' The shop is under maintenance.' : '';
    process.stdout.write(`${ORDERS.length} orders, ${paid} of them paid.${note}\n`);
  }
}
