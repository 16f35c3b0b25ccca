import { escapeControlCharacters } from '../utils/escape-control-characters.js';

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

  constructor(message: string, options?: ErrorOptions) {
    // Programs log it, and it may quote what is stored.
    super(escapeControlCharacters(message), options);
  }
}
