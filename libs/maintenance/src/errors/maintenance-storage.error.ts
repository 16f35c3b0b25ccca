import { escapeControlCharacters } from '../utils/escape-control-characters.js';
import { toErrorMessage } from '../utils/to-error-message.js';

/**
 * Tells why a storage failed.
 *
 * | code | meaning |
 * | --- | --- |
 * | `unavailable` | the storage can't be reached, or did not answer in time |
 * | `denied` | the storage refuses to be read or written with these credentials |
 * | `corrupt` | the stored content is not a state; `version` allows to overwrite it |
 * | `lost` | a known state is gone without having been removed |
 * | `conflict` | another writer came first: read again and decide again |
 */
export type MaintenanceStorageErrorCode = 'unavailable' | 'denied' | 'corrupt' | 'lost' | 'conflict';

/**
 * Thrown where a storage can't be read or written. The message names the storage and the reason, never a credential.
 *
 * @remarks
 * Act on its `code`: repair access for `unavailable` and `denied`, turn maintenance on or off again for `corrupt` and
 * `lost`, read the status and decide again for `conflict`. The admin endpoints respond with 502, or with 409 if
 * `ifRevision` is not the revision of the state. The command line exits with 1.
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
    // The message may quote the stored content, and programs log it.
    super(escapeControlCharacters(message), { cause: options.cause });
    this.code = code;
    if (options.version !== undefined) this.version = options.version;
    if (options.isForeign) this.isForeign = true;
  }
}

/** Converts an error to a {@link MaintenanceStorageError}, with the code that it has or as `unavailable`. */
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
