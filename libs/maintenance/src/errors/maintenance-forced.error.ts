/** Thrown by on and off while the option `enabled` (or `MAINTENANCE_MODE`) forces maintenance on or off. */
export class MaintenanceForcedError extends Error {
  override readonly name = 'MaintenanceForcedError';

  constructor(enabled: boolean) {
    super(
      `Maintenance is forced ${enabled ? 'on' : 'off'} by the option \`enabled\` (environment: MAINTENANCE_MODE), ` +
        'so on and off change nothing. Remove it and restart to use the stored state.',
    );
  }
}
