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
import { reasonOf } from '../utils/reason-of.js';
import { MaintenanceStorageError } from '../errors/maintenance-storage.error.js';

type AdminError = InvalidWindowError | MaintenanceForcedError | MaintenanceStorageError;

/** Gives the errors of a change the status that HTTP has for them. */
@Catch(InvalidWindowError, MaintenanceForcedError, MaintenanceStorageError)
export class AdminErrorsFilter extends BaseExceptionFilter<AdminError | HttpException> {
  constructor(@Inject(HttpAdapterHost) { httpAdapter }: HttpAdapterHost) {
    super(httpAdapter);
  }

  override catch(error: AdminError, host: ArgumentsHost): void {
    super.catch(asHttpException(error), host);
  }
}

function asHttpException(error: AdminError): HttpException {
  // A storage of the application's own may put anything into its messages.
  const reason = reasonOf(error);
  if (error instanceof InvalidWindowError) return new BadRequestException(reason, { cause: error });
  if (error instanceof MaintenanceForcedError) return new ConflictException(reason, { cause: error });
  return new BadGatewayException(reason, { cause: error });
}
