import { Logger, type INestApplication } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import type { RmqOptions } from '@nestjs/microservices';
import { connectTo, EVENTS, REQUESTS } from '../queues.js';
import { OrdersModule } from './orders.module.js';

const app: INestApplication = await NestFactory.create(OrdersModule);
app.enableShutdownHooks();
for (const queue of [REQUESTS, EVENTS]) {
  const { transport, options } = connectTo(queue);
  // Only what is acknowledged by the application can be kept, and only so many events are loaded meanwhile.
  app.connectMicroservice<RmqOptions>({ transport, options: { ...options, noAck: false, prefetchCount: 20 } });
}
await app.startAllMicroservices();
new Logger('Sample').log(`Listening on ${REQUESTS} and ${EVENTS}`);
