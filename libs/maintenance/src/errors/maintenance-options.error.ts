/** Thrown at the start for invalid options or environment variables. The message names the option. */
export class MaintenanceOptionsError extends Error {
  override readonly name = 'MaintenanceOptionsError';

  constructor(reason: string, options?: ErrorOptions) {
    super(`nestjs-maintenance: ${reason}`, options);
  }
}
