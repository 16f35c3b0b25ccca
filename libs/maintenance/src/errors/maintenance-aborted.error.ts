import { escapeControlCharacters } from '../utils/escape-control-characters.js';

/**
 * Aborts the work of `during` when its window has ended or is about to end, or when the application shuts down. The
 * message says which.
 *
 * @remarks
 * Stop the work and let `during` settle; repeat it later if it can be repeated.
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
    // The message may quote the stored state, and programs log it.
    super(escapeControlCharacters(message), options);
  }
}
