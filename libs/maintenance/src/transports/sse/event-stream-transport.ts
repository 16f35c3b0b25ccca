import type { CallHandler, ExecutionContext, MessageEvent, NestInterceptor } from '@nestjs/common';
import { concat, defer, of, takeUntil, tap, type Observable } from 'rxjs';
import { createMaintenanceEvent, getLastEventId } from '../../http/event-stream.js';
import type { HttpRequest } from '../../http/http-request.interface.js';
import type { HandlerRules } from '../../policy/handler-rules.js';
import type { Refusal } from '../../policy/refusal.js';
import type { TransportAdapter } from '../../policy/transport-adapters.js';
import { watchForRefusal } from '../watch-for-refusal.js';
import type { TransportDeps } from '../transport-deps.interface.js';

/**
 * Ends open server-sent event streams when a window starts that covers them, after a last event, `maintenance`. New
 * streams are decided as requests.
 */
export class EventStreamTransport implements TransportAdapter, NestInterceptor {
  readonly type = null;

  constructor(private readonly deps: TransportDeps) {}

  /** Adds the interceptor before those of `main.ts`, so that none of them changes its event. */
  attach(): void {
    if (this.deps.hasGlobalGuard) this.deps.config.useGlobalInterceptors(this);
  }

  intercept(context: ExecutionContext, next: CallHandler<MessageEvent>): Observable<unknown> {
    if (context.getType() !== 'http') return next.handle();
    const rules = this.deps.reader.getRules(context.getClass(), context.getHandler() as never);
    if (!rules.isEventStream || rules.override !== null) return next.handle();
    return this.#endWhenRefused(next.handle(), rules, context);
  }

  #endWhenRefused(
    events: Observable<MessageEvent>,
    rules: HandlerRules,
    context: ExecutionContext,
  ): Observable<unknown> {
    const request = context.switchToHttp().getRequest<HttpRequest>();
    const refused = watchForRefusal(this.deps, { rules, request, context });
    // Nest numbers events without an id, and a client would later ask for the events after that number.
    let id = getLastEventId(request);
    let refusal: Refusal | undefined;
    return concat(
      events.pipe(
        tap((event) => (id = event?.id ?? id)),
        takeUntil(refused.pipe(tap((found) => (refusal = found)))),
      ),
      defer(() => (refusal ? of<MessageEvent>(createMaintenanceEvent(refusal, id)) : of())),
    );
  }
}
