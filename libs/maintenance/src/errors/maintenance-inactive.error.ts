/**
 * Maintenance is off, or was turned off meanwhile, so there is no drain to wait for.
 *
 * @example
 * ```ts
 * try {
 *   await maintenance.drained();
 * } catch (error) {
 *   if (error instanceof MaintenanceInactiveError) return; // an operator has turned maintenance off
 *   throw error;
 * }
 * ```
 */
export class MaintenanceInactiveError extends Error {
  override readonly name = 'MaintenanceInactiveError';
}
