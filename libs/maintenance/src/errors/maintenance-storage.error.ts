import { escapeControlCharacters } from '../utils/escape-control-characters.js';
import { toErrorMessage } from '../utils/to-error-message.js';

/**
 * What went wrong with a storage.
 *
 * | code | meaning |
 * | --- | --- |
 * | `unavailable` | it can't be reached, or did not answer in time |
 * | `denied` | it refuses this reader or writer |
 * | `corrupt` | what it holds is not a state; `version` lets it be overwritten |
 * | `lost` | a state that was known is gone, and nobody removed it |
 * | `conflict` | somebody else wrote first: read again and decide anew |
 */
export type MaintenanceStorageErrorCode = 'unavailable' | 'denied' | 'corrupt' | 'lost' | 'conflict';

/**
 * A storage could not be read or written. The message names the storage and the reason, never a credential.
 *
 * @example
 * ```ts
 * try {
 *   await maintenance.enable();
 * } catch (error) {
 *   if (error instanceof MaintenanceStorageError && error.code === 'denied') page(operator);
 * }
 * ```
 */
export class MaintenanceStorageError extends Error {
  override readonly name = 'MaintenanceStorageError';
  readonly code: MaintenanceStorageErrorCode;
  /** The version of corrupt content. */
  readonly version?: string;
  /**
   * Whether the corrupt content never was a state.
   *
   * @internal
   */
  readonly isForeign?: boolean;

  constructor(
    code: MaintenanceStorageErrorCode,
    message: string,
    options: { version?: string; cause?: unknown; isForeign?: boolean } = {},
  ) {
    // Programs log it, and it may quote what is stored.
    super(escapeControlCharacters(message), { cause: options.cause });
    this.code = code;
    if (options.version !== undefined) this.version = options.version;
    if (options.isForeign) this.isForeign = true;
  }
}

/** The error as a storage's error: with the code it has, in a copy of the package or in another, else as `unavailable`. */
export function toStorageError(error: unknown, subject: string): MaintenanceStorageError {
  if (error instanceof MaintenanceStorageError) return error;
  const reason = toErrorMessage(error);
  if (!isStorageError(error))
    return new MaintenanceStorageError('unavailable', `${subject}: ${reason}`, { cause: error });
  const { version, isForeign } = error;
  return new MaintenanceStorageError(error.code, reason, { version, isForeign, cause: error });
}

/** Whether the error is a {@link MaintenanceStorageError}, of this copy of the package or of another. */
export function isStorageError(error: unknown): error is MaintenanceStorageError {
  return error instanceof Error && error.name === 'MaintenanceStorageError' && 'code' in error;
}
