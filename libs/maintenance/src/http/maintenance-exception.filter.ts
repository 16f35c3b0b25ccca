import { Catch, type ArgumentsHost, type ExceptionFilter } from '@nestjs/common';
import { throwError } from 'rxjs';
import { preserveStatus } from './answer.js';
import type { HttpBridge } from './adapters/http-bridge.interface.js';
import { MaintenanceException } from './maintenance.exception.js';
import type { HttpRequest } from './http-request.interface.js';
import type { Responder } from './responder.js';

/**
 * Answers a refused request with the page, the problem document or the redirect. The module registers it for the whole
 * application, where it is asked before other global filters.
 */
@Catch(MaintenanceException)
export class MaintenanceExceptionFilter implements ExceptionFilter<MaintenanceException> {
  constructor(
    private readonly httpIntegration: Pick<HttpBridge, 'getRawResponse' | 'send'>,
    private readonly responder: Responder,
  ) {}

  async catch(exception: MaintenanceException, host: ArgumentsHost): Promise<unknown> {
    // Nest expects a stream that fails. An exception thrown here would be an unhandled rejection for events.
    if (host.getType() === 'rpc') return throwError(() => exception);
    // Other transports have exceptions of their own.
    if (host.getType() !== 'http') throw exception;
    const http = host.switchToHttp();
    const answer = await this.responder.createAnswer(
      exception.refusal,
      http.getRequest<HttpRequest>(),
      exception.isEventStream,
    );
    const response: unknown = http.getResponse();
    preserveStatus(this.httpIntegration.getRawResponse(response), answer);
    this.httpIntegration.send(response, answer);
  }
}
