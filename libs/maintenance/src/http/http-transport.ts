import type { ExecutionContext } from '@nestjs/common';
import type { HandlerRules, HandlerRulesReader } from '../policy/handler-rules.js';
import type { PolicyInput } from '../policy/maintenance-policy.js';
import type { Refusal } from '../policy/refusal.js';
import { describeRoute, hasRefusalSubscribers, publishRefusal } from '../policy/refusal-channel.js';
import type { TransportAdapter } from '../policy/transport-adapters.js';
import { enforcePrivateCaching, enforceRefusalHeaders, type RawResponse } from './answer.js';
import type { HttpIntegration } from './http-integration.js';
import type { HttpRequest } from './http-request.interface.js';
import { MaintenanceException } from './maintenance.exception.js';
import type { Responder } from './responder.js';

/** Requests over HTTP that a handler of a controller takes. */
export class HttpTransport implements TransportAdapter {
  readonly type = 'http';

  constructor(
    private readonly reader: HandlerRulesReader,
    private readonly responder: Responder,
    private readonly httpIntegration: HttpIntegration,
  ) {}

  toPolicyInput(context: ExecutionContext, rules: HandlerRules): PolicyInput {
    const request = this.httpIntegration.restoreUrl(getRequest(context));
    return { rules, request, context };
  }

  async createError(refusal: Refusal, context: ExecutionContext): Promise<MaintenanceException> {
    // On the response itself, so that the headers stay whichever filter answers in the end.
    const onSent = hasRefusalSubscribers()
      ? (status: number) => this.#publish(refusal, getRequest(context), status)
      : undefined;
    enforceRefusalHeaders(this.#getRawResponse(context), this.responder.statusCode, refusal, onSent);
    const { isEventStream } = this.reader.getRules(context.getClass(), context.getHandler() as never);
    const problem = await this.responder.createProblemWithMembers(refusal, getRequest(context));
    return new MaintenanceException(refusal, problem, isEventStream);
  }

  onExempt(context: ExecutionContext): void {
    enforcePrivateCaching(this.#getRawResponse(context));
  }

  #publish(refusal: Refusal, request: HttpRequest, status: number): void {
    publishRefusal(refusal, () => {
      const pattern = this.httpIntegration.getRoutePattern(request);
      return { ...describeRoute(request.method, pattern), transport: this.type, status };
    });
  }

  #getRawResponse(context: ExecutionContext): RawResponse {
    return this.httpIntegration.getRawResponse(context.switchToHttp().getResponse());
  }
}

function getRequest(context: ExecutionContext): HttpRequest {
  return context.switchToHttp().getRequest<HttpRequest>();
}
