import { Injectable, type CallHandler, type ExecutionContext, type NestInterceptor } from '@nestjs/common';
import type { RmqContext } from '@nestjs/microservices';
import { finalize, type Observable } from 'rxjs';

/** Acknowledges a message when its handler has finished. It does not run for an event that is refused. */
@Injectable()
export class AcknowledgeInterceptor implements NestInterceptor {
  intercept(context: ExecutionContext, next: CallHandler): Observable<unknown> {
    const rabbit = context.switchToRpc().getContext<RmqContext>();
    const channel = rabbit.getChannelRef() as { ack(message: unknown): void };
    return next.handle().pipe(finalize(() => channel.ack(rabbit.getMessage())));
  }
}
