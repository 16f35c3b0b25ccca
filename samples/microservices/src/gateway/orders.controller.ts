import { Body, Controller, Get, HttpCode, Inject, Param, ParseIntPipe, Post } from '@nestjs/common';
import type { ClientProxy } from '@nestjs/microservices';
import type { Observable } from 'rxjs';
import { EVENTS, REQUESTS } from '../queues.js';

@Controller('orders')
export class OrdersController {
  constructor(
    @Inject(REQUESTS) private readonly requests: ClientProxy,
    @Inject(EVENTS) private readonly events: ClientProxy,
  ) {}

  @Get()
  list(): Observable<unknown> {
    return this.requests.send('order.list', {});
  }

  @Post()
  create(@Body('item') item: string): Observable<unknown> {
    return this.requests.send('order.create', item);
  }

  @HttpCode(202)
  @Post(':id/paid')
  pay(@Param('id', ParseIntPipe) id: number): Observable<unknown> {
    return this.events.emit('order.paid', id);
  }

  @HttpCode(202)
  @Post(':id/viewed')
  view(@Param('id', ParseIntPipe) id: number): Observable<unknown> {
    return this.events.emit('order.viewed', id);
  }
}
