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

/** Gives the errors of a change the status that HTTP has for them. */
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
  // A storage of the application's own may put anything into its messages.
  const reason = toErrorMessage(error);
  if (error instanceof InvalidWindowError) return new BadRequestException(reason, { cause: error });
  if (error instanceof MaintenanceForcedError) return new ConflictException(reason, { cause: error });
  return new BadGatewayException(reason, { cause: error });
}
