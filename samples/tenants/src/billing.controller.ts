import { Controller, Post } from '@nestjs/common';
import { MaintenanceService } from 'nestjs-maintenance';

/** Works for all tenants in one call, so it asks for each of them. */
@Controller('billing')
export class BillingController {
  constructor(private readonly maintenance: MaintenanceService) {}

  @Post()
  bill(): { billed: string[]; postponed: string[] } {
    const tenants = ['acme', 'globex'];
    const isPostponed = (tenant: string): boolean => this.maintenance.isActive(`tenant:${tenant}`);
    return {
      billed: tenants.filter((tenant) => !isPostponed(tenant)),
      postponed: tenants.filter(isPostponed),
    };
  }
}
