import { Controller, UseInterceptors } from '@nestjs/common';
import { EventPattern, MessagePattern, Payload } from '@nestjs/microservices';
import { MaintenanceAccess, SkipMaintenance } from 'nestjs-maintenance';
import { AcknowledgeInterceptor } from './acknowledge.interceptor.js';

interface Order {
  id: number;
  item: string;
  paid: boolean;
  views: number;
}

@UseInterceptors(AcknowledgeInterceptor)
@Controller()
export class OrdersController {
  private readonly orders: Order[] = [];

  @MessagePattern('order.create')
  create(@Payload() item: string): Order {
    const order = { id: this.orders.length, item, paid: false, views: 0 };
    this.orders.push(order);
    return order;
  }

  /** Answered in a read-only window, too. */
  @MaintenanceAccess('read')
  @MessagePattern('order.list')
  list(): Order[] {
    return this.orders;
  }

  /** During maintenance, RabbitMQ keeps the event. */
  @EventPattern('order.paid')
  pay(@Payload() id: number): void {
    if (this.orders[id]) this.orders[id].paid = true;
  }

  /** Handled in every window. */
  @SkipMaintenance()
  @EventPattern('order.viewed')
  view(@Payload() id: number): void {
    if (this.orders[id]) this.orders[id].views++;
  }
}
