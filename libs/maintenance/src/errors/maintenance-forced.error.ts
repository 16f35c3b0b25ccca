/** On and off are refused because the option `enabled` (or `MAINTENANCE_MODE`) gives the answer. */
export class MaintenanceForcedError extends Error {
  override readonly name = 'MaintenanceForcedError';

  constructor(enabled: boolean) {
    super(
      `Maintenance is forced ${enabled ? 'on' : 'off'} by the option \`enabled\` (environment: MAINTENANCE_MODE), ` +
        'so on and off change nothing. Remove it and restart to use the stored state.',
    );
  }
}
