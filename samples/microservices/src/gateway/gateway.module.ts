import { Module } from '@nestjs/common';
import { ClientsModule } from '@nestjs/microservices';
import { connectTo, EVENTS, REQUESTS } from '../queues.js';
import { OrdersController } from './orders.controller.js';

@Module({
  imports: [ClientsModule.register([REQUESTS, EVENTS].map((name) => ({ name, ...connectTo(name) })))],
  controllers: [OrdersController],
})
export class GatewayModule {}
