/**
 * The window under which work was running is over, or about to be, or the application shuts down. The message says which.
 *
 * @example
 * ```ts
 * await maintenance.during(async (signal) => {
 *   for (const batch of batches) {
 *     signal.throwIfAborted(); // throws a MaintenanceAbortedError
 *     await move(batch);
 *   }
 * });
 * ```
 */
export class MaintenanceAbortedError extends Error {
  override readonly name = 'MaintenanceAbortedError';
}
