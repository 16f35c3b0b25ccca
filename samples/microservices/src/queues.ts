import { Transport, type RmqOptions } from '@nestjs/microservices';

/** Requests have a queue of their own: in one queue, they would wait behind the events that are kept. */
export const REQUESTS = 'orders-requests';
export const EVENTS = 'orders-events';

export function connectTo(queue: string): { transport: Transport.RMQ; options: RmqOptions['options'] } {
  const urls = [process.env.RABBITMQ_URL ?? 'amqp://localhost:5672'];
  return { transport: Transport.RMQ, options: { urls, queue, queueOptions: { durable: true }, persistent: true } };
}
