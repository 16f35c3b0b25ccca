import type { MaintenanceState } from '../core/maintenance-state.js';
import type { InstanceReport } from '../core/instance-report.js';

/** A state together with the version of the storage that holds it. */
export interface VersionedState {
  state: MaintenanceState;
  /** Opaque: an ETag, a hash. Two equal versions mean equal content. */
  version: string;
}

/**
 * Where the state lives: the port that file, S3, Redis and your own storages implement. Also the injection token of the
 * storage that the module uses.
 *
 * @example
 * ```ts
 * constructor(@Inject(StateStorage) private readonly storage: StateStorage) {}
 * ```
 */
export interface StateStorage {
  /** One word: `file`, `s3`, `redis`. */
  readonly kind: string;
  /** Where exactly, for people; never with credentials. */
  readonly location: string;
  /**
   * Whether what was there may be gone without anybody's doing, as from a server that keeps it in memory only. Where nothing is
   * stored, `off` then leaves a state behind: instances that knew one before may still go by it. Default: `false`.
   */
  readonly isVolatile?: boolean;

  /**
   * Reads the state. Reading never writes.
   *
   * @returns `null` where nothing is stored
   * @throws {@link MaintenanceStorageError} with the code `unavailable`, `denied`, `corrupt` (with the version of the corrupt
   *   content, so that it can be overwritten) or `lost`
   */
  read(): Promise<VersionedState | null>;

  /**
   * Writes the state if the storage still holds `ifVersion`, durably.
   *
   * @param next - the whole state
   * @param ifVersion - the version that {@link read} gave; `null` writes only if nothing is there
   * @returns the new version
   * @throws {@link MaintenanceStorageError} with the code `conflict` if another version is there, else `unavailable` or `denied`
   */
  write(next: MaintenanceState, ifVersion: string | null): Promise<string>;

  /**
   * Calls back when the state may have changed, as often as it likes.
   *
   * @returns a function that ends the watch
   */
  watch?(changed: () => void): Promise<() => Promise<void>>;

  /** Keeps one record for each instance beside the state, with a time to live. */
  report?(report: InstanceReport): Promise<void>;

  /** The records of the instances that live. */
  reports?(): Promise<InstanceReport[]>;

  /** Releases connections and handles. */
  close?(): Promise<void>;
}

/** The injection token of the {@link StateStorage} in use. */
export const StateStorage = Symbol.for('nestjs-maintenance:StateStorage');
