/**
 * Thrown at the start for invalid options or environment variables. The message names the option.
 *
 * @remarks
 * Correct the option or the variable that the message names. The application does not start, the command line exits
 * with 1.
 */
export class MaintenanceOptionsError extends Error {
  override readonly name = 'MaintenanceOptionsError';

  constructor(reason: string, options?: ErrorOptions) {
    super(`nestjs-maintenance: ${reason}`, options);
  }
}
