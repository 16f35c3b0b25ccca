import { Catch, ServiceUnavailableException, type ArgumentsHost } from '@nestjs/common';
import { BaseExceptionFilter } from '@nestjs/core';
import type { ServerResponse } from 'node:http';

/** The members of a refused request that this gateway passes to its own client. */
interface Refusal {
  errorCode: 'MAINTENANCE';
  message: string;
  retryAfter: number | null;
}

const isRefusal = (error: unknown): error is Refusal => (error as Partial<Refusal> | null)?.errorCode === 'MAINTENANCE';

/** Answers 503 if a microservice is in maintenance. Nest would answer 500. */
@Catch()
export class RefusalFilter extends BaseExceptionFilter {
  override catch(error: unknown, host: ArgumentsHost): void {
    if (!isRefusal(error)) return super.catch(error, host);
    const { errorCode, message, retryAfter } = error;
    if (retryAfter !== null) host.switchToHttp().getResponse<ServerResponse>().setHeader('Retry-After', retryAfter);
    super.catch(new ServiceUnavailableException({ statusCode: 503, errorCode, message, retryAfter }), host);
  }
}
