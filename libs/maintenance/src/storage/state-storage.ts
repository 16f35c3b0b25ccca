import type { InstanceReport } from '../core/instance-report.js';
import type { MaintenanceState } from '../core/maintenance-state.js';

/** The maximum size of a stored state, in bytes: thousands of windows, and still quick to read. */
export const MAX_STATE_BYTES = 1024 * 1024;

/** A state together with the version under which the storage keeps it. */
export interface VersionedState {
  state: MaintenanceState;
  /** An opaque identifier, such as an ETag or a hash. Equal versions mean equal content. */
  version: string;
}

/**
 * Stores the maintenance state. File, Redis, S3 and custom storages implement this interface. Also the injection token
 * of the storage that the module uses.
 *
 * @example
 * ```ts
 * constructor(@Inject(StateStorage) private readonly storage: StateStorage) {}
 * ```
 */
export interface StateStorage {
  /** The kind of the storage in one word: `file`, `s3`, `redis`. */
  readonly kind: string;
  /** Human-readable location. Must not contain credentials. */
  readonly location: string;
  /**
   * Whether the storage may lose data on its own, as Redis without persistence does. If nothing is stored, `off` then
   * writes a state all the same, because instances may still apply one that was lost.
   *
   * @defaultValue `false`
   */
  readonly isVolatile?: boolean;

  /**
   * Reads the state. Must not write.
   *
   * @returns `null` if nothing is stored
   * @throws {@link MaintenanceStorageError} with the code `unavailable`, `denied`, `corrupt` (with the version of the
   *   corrupt content, so that it can be replaced) or `lost`
   */
  read(): Promise<VersionedState | null>;

  /**
   * Writes the state durably if the storage still has the version `ifVersion`.
   *
   * @param next - the complete state
   * @param ifVersion - the version that {@link StateStorage.read} returned; `null` writes only if nothing is stored
   * @returns the new version
   * @throws {@link MaintenanceStorageError} with the code `conflict` if the storage has another version, otherwise
   *   `unavailable` or `denied`
   */
  write(next: MaintenanceState, ifVersion: string | null): Promise<string>;

  /**
   * Calls back when the state may have changed; too often is fine.
   *
   * @param changed - called without arguments
   * @returns a function that ends the watch
   */
  watch?(changed: () => void): Promise<() => Promise<void>>;

  /**
   * Stores the report of an instance beside the state, one for each instance, with a time to live.
   *
   * @param report - replaces the previous report with the same id
   */
  report?(report: InstanceReport): Promise<void>;

  /** Returns the reports that have not expired. */
  reports?(): Promise<InstanceReport[]>;

  /** Closes connections and handles. */
  close?(): Promise<void>;
}

/** The injection token of the {@link StateStorage} in use. */
export const StateStorage = Symbol.for('nestjs-maintenance:StateStorage');
