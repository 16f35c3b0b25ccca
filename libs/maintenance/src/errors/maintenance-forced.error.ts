/**
 * Thrown by on and off while the option `enabled` (or `MAINTENANCE_MODE`) forces maintenance on or off.
 *
 * @remarks
 * Remove the option and restart. The admin endpoints respond with 409, the command line exits with 1.
 */
export class MaintenanceForcedError extends Error {
  override readonly name = 'MaintenanceForcedError';

  constructor(enabled: boolean) {
    super(
      `Maintenance is forced ${enabled ? 'on' : 'off'} by the option \`enabled\` (environment: MAINTENANCE_MODE), ` +
        'so on and off change nothing. Remove it and restart to use the stored state.',
    );
  }
}
