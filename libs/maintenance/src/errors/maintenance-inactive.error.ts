/**
 * Thrown by a wait for a drain when maintenance is off, or ends meanwhile.
 *
 * @remarks
 * Turn maintenance on before you wait. If it ended meanwhile, `status --history` tells how. The command line exits
 * with 1.
 */
export class MaintenanceInactiveError extends Error {
  override readonly name = 'MaintenanceInactiveError';
}
