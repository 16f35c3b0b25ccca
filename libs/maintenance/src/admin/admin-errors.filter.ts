import {
  BadGatewayException,
  BadRequestException,
  Catch,
  ConflictException,
  Inject,
  HttpException,
  type ArgumentsHost,
} from '@nestjs/common';
import { BaseExceptionFilter, HttpAdapterHost } from '@nestjs/core';
import { RevisionConflictError } from '../core/revision-conflict.error.js';
import { MaintenanceForcedError } from '../errors/maintenance-forced.error.js';
import { InvalidWindowError } from '../errors/invalid-window.error.js';
import { toErrorMessage } from '../utils/to-error-message.js';
import { MaintenanceStorageError } from '../errors/maintenance-storage.error.js';
import type { PanelConflict } from './panel/panel-state.js';

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
  if (error instanceof RevisionConflictError) {
    const { revision, changes } = error;
    const body: PanelConflict = { statusCode: 409, message, code: 'conflict', revision, changes };
    return new HttpException(body, body.statusCode, { cause: error });
  }
  if (error instanceof InvalidWindowError) return new BadRequestException(message, { cause: error });
  if (error instanceof MaintenanceForcedError) return new ConflictException(message, { cause: error });
  return new BadGatewayException(message, { cause: error });
}
