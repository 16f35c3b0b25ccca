/** Thrown by a wait for a drain when maintenance is off, or ends meanwhile. */
export class MaintenanceInactiveError extends Error {
  override readonly name = 'MaintenanceInactiveError';
}
