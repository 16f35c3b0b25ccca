/** The options, or the environment, can't be used; the application does not start. The message names the option. */
export class MaintenanceOptionsError extends Error {
  override readonly name = 'MaintenanceOptionsError';

  constructor(reason: string, options?: ErrorOptions) {
    super(`nestjs-maintenance: ${reason}`, options);
  }
}
