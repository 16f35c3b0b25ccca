import { Body, Controller, Get, HttpCode, Post, Render } from '@nestjs/common';
import { MaintenanceScope } from 'nestjs-maintenance';
import { Orders, type Order } from './orders.js';

/** Covered by windows on the scope `payments`: `on --scope payments`. */
@MaintenanceScope('payments')
@Controller()
export class PaymentsController {
  constructor(private readonly orders: Orders) {}

  @Get('api/payments/methods')
  methods(): string[] {
    return ['card', 'invoice'];
  }

  @Post('api/payments')
  pay(@Body() body: unknown): Order {
    return this.orders.pay(body);
  }

  @Post('pay')
  @HttpCode(200)
  @Render('paid')
  payOnPage(@Body() body: unknown): object {
    return { title: 'Paid', order: this.orders.pay(body) };
  }
}
