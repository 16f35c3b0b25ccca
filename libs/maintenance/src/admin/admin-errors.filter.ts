import {
  BadGatewayException,
  BadRequestException,
  Catch,
  ConflictException,
  Inject,
  type ArgumentsHost,
  type HttpException,
} from '@nestjs/common';
import { BaseExceptionFilter, HttpAdapterHost } from '@nestjs/core';
import { MaintenanceForcedError } from '../errors/maintenance-forced.error.js';
import { InvalidWindowError } from '../errors/invalid-window.error.js';
import { toErrorMessage } from '../utils/to-error-message.js';
import { MaintenanceStorageError } from '../errors/maintenance-storage.error.js';

type AdminError = InvalidWindowError | MaintenanceForcedError | MaintenanceStorageError;

/** Maps the errors of a change to HTTP exceptions: 400, 409 and 502. */
@Catch(InvalidWindowError, MaintenanceForcedError, MaintenanceStorageError)
export class AdminErrorsFilter extends BaseExceptionFilter<AdminError | HttpException> {
  constructor(@Inject(HttpAdapterHost) { httpAdapter }: HttpAdapterHost) {
    super(httpAdapter);
  }

  override catch(error: AdminError, host: ArgumentsHost): void {
    super.catch(toHttpException(error), host);
  }
}

function toHttpException(error: AdminError): HttpException {
  // A custom storage may put any text into its messages.
  const message = toErrorMessage(error);
  if (error instanceof InvalidWindowError) return new BadRequestException(message, { cause: error });
  if (error instanceof MaintenanceForcedError) return new ConflictException(message, { cause: error });
  return new BadGatewayException(message, { cause: error });
}
