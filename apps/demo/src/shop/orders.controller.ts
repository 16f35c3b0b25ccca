import { Body, Controller, Post } from '@nestjs/common';
import { Orders, type Order } from './orders.js';

@Controller('api/orders')
export class OrdersController {
  constructor(private readonly orders: Orders) {}

  @Post()
  place(@Body() body: unknown): Order {
    return this.orders.place(body);
  }
}
