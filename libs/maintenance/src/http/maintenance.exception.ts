import { HttpException } from '@nestjs/common';
import type { Refusal } from '../policy/refusal.js';
import { ERROR_CODE, type Problem } from './problem.js';

/**
 * Reports that a request was refused because of maintenance. Its response is a complete problem document (RFC 9457),
 * which a filter of your own can send as it is.
 *
 * @remarks
 * Clients wait for `Retry-After` and repeat the request. The status is 503, or `response.statusCode`.
 *
 * @example
 * ```ts
 * @Catch(MaintenanceException)
 * export class LogRefusals implements ExceptionFilter {
 *   catch(exception: MaintenanceException, host: ArgumentsHost) {
 *     this.log.debug(exception.refusal.window?.id);
 *   }
 * }
 * ```
 */
export class MaintenanceException extends HttpException {
  override readonly name = 'MaintenanceException';
  /** The code that the problem document has too. On Nest 12, every `HttpException` may have one. */
  override readonly errorCode = ERROR_CODE;

  constructor(
    /** The window that covers the request, and when to try again. */
    readonly refusal: Refusal,
    problem: Problem,
    /** Whether the handler sends server-sent events. */
    readonly isEventStream = false,
  ) {
    super(problem, problem.statusCode, { description: problem.message });
    this.message = problem.message;
  }
}
