import { Controller, Get, Post } from '@nestjs/common';
import { Tenant } from './tenant.guard.js';

@Controller('orders')
export class OrdersController {
  private readonly counts = new Map<string, number>();

  @Get()
  count(@Tenant() tenant: string): { tenant: string; orders: number } {
    return { tenant, orders: this.counts.get(tenant) ?? 0 };
  }

  @Post()
  create(@Tenant() tenant: string): { tenant: string; orders: number } {
    this.counts.set(tenant, (this.counts.get(tenant) ?? 0) + 1);
    return this.count(tenant);
  }
}
