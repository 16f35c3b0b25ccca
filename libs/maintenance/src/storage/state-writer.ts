import { randomBytes } from 'node:crypto';
import { setTimeout as pause } from 'node:timers/promises';
import { createNextState, type Change, type ChangeOrigin } from '../core/window-changes.js';
import type { Clock } from '../utils/clock.js';
import { withTimeout } from '../utils/with-timeout.js';
import { isCurrentRevision, RevisionConflictError } from '../core/revision-conflict.error.js';
import { toInstanceReport } from '../core/instance-report.js';
import type { MaintenanceState } from '../core/maintenance-state.js';
import type { StoredWindow } from '../core/maintenance-window.js';
import { unwrapCache } from './cache/cached-state-storage.js';
import { isStorageError, MaintenanceStorageError, toStorageError } from '../errors/maintenance-storage.error.js';
import { StateReader } from './state-reader.js';
import type { StateStorage, VersionedState } from './state-storage.js';

/** The result of a change of the state. */
export interface WriteResult {
  /** The state that is stored now. */
  state: MaintenanceState | null;
  /** The change that was written; `null` if nothing had to be changed. */
  change: Change | null;
  /** Whether the change replaced content that was not a state. */
  replacedCorrupt: boolean;
  /** Whether that content never was a state: the file of another program, for example. */
  replacedForeign: boolean;
}

/** The options of {@link StateWriter.change}. */
export interface ChangeOptions {
  /**
   * Whether to write a state even without a change if the stored one is corrupt or lost: instances apply the last state
   * that they know until there is a new one.
   */
  repairs?: boolean;
  /** The revision that the caller has seen: nothing is written if the state has another one. */
  ifRevision?: number;
}

/** The content of the storage before a change. */
interface StoredContent {
  state: MaintenanceState | null;
  version: string | null;
  /** The read error if the stored state is corrupt or lost. `on` and `off` write a new state then. */
  failure?: MaintenanceStorageError;
  /** Whether the content never was a state. */
  isForeign?: boolean;
  /** Whether instances may still apply a state that is no longer stored. */
  mayBeAppliedElsewhere: boolean;
}

/** A change gives up after so many milliseconds of conflicts with other writers. */
const CONFLICT_TIMEOUT_MS = 10_000;
/** A call of the storage fails after so many milliseconds. */
const STORAGE_CALL_TIMEOUT_MS = 10_000;

/** Changes the stored state by compare-and-set, and reads every change back. */
export class StateWriter {
  readonly #reader: StateReader;

  /**
   * @param storage - the storage to change
   * @param clock - tells the time of a change
   * @param force - whether content that never was a state is replaced too
   */
  constructor(
    private readonly storage: StateStorage,
    private readonly clock: Clock,
    private readonly force = false,
  ) {
    // A change starts from the storage itself, and is read back from there: a cache may be behind.
    this.#reader = new StateReader(unwrapCache(storage));
  }

  /**
   * Applies `createChange` to the stored windows. Reads again and retries on a conflict. Replaces corrupt content, but
   * content that never was a state only with `force`.
   *
   * @param createChange - returns the change, or `null` for none; called again for each attempt
   * @param origin - who makes the change, for the history
   * @param options - see {@link ChangeOptions}
   * @throws {@link MaintenanceStorageError} if the storage can't be read or written, or the change can't be read back;
   *   {@link RevisionConflictError} if the state has another revision than `ifRevision`
   */
  async change(
    createChange: (windows: readonly StoredWindow[], now: number) => Change | null,
    origin: ChangeOrigin,
    { repairs = false, ifRevision }: ChangeOptions = {},
  ): Promise<WriteResult> {
    const lineage = randomBytes(12).toString('hex');
    const deadline = performance.now() + CONFLICT_TIMEOUT_MS;
    for (let attempts = 1; ; attempts++) {
      const { state: base, version, failure, isForeign = false, mayBeAppliedElsewhere } = await this.#readForChange();
      const replacedCorrupt = failure?.code === 'corrupt';
      // In the loop: another writer may come first after any of the attempts. Unreadable content has no revision.
      if (ifRevision !== undefined && !failure && !isCurrentRevision(base, ifRevision))
        throw new RevisionConflictError(base, ifRevision, this.storage.location);
      const now = this.clock.now();
      const change =
        createChange(base?.windows ?? [], now) ?? (repairs && mayBeAppliedElsewhere ? REPAIR_CHANGE : null);
      // There was no state in which to look for the windows to end.
      if (change === null && failure) throw failure;
      if (change === null) return { state: base, change, replacedCorrupt: false, replacedForeign: false };
      const next = createNextState(base, change, origin, now, lineage);
      try {
        const written = await withTimeout(() => this.storage.write(next, version), this.clock, STORAGE_CALL_TIMEOUT_MS);
        return { state: await this.#readBack(next, written), change, replacedCorrupt, replacedForeign: isForeign };
      } catch (error) {
        if (!isStorageError(error) || error.code !== 'conflict') throw this.#toStorageError(error);
        if (performance.now() > deadline) {
          const seconds = CONFLICT_TIMEOUT_MS / 1000;
          const reason = `other writers were first for ${seconds} s; nothing was changed. Try again.`;
          throw new MaintenanceStorageError('conflict', `${this.storage.location}: ${reason}`, { cause: error });
        }
      }
      await pause(Math.random() * Math.min(2 ** attempts, 100));
    }
  }

  async #readForChange(): Promise<StoredContent> {
    try {
      const found = await this.#read();
      const mayBeAppliedElsewhere = found === null && this.storage.isVolatile === true;
      return { state: found?.state ?? null, version: found?.version ?? null, mayBeAppliedElsewhere };
    } catch (error) {
      const isCorrupt = isStorageError(error) && error.code === 'corrupt' && error.version !== undefined;
      const isLost = isStorageError(error) && error.code === 'lost';
      if (!isCorrupt && !isLost) throw this.#toStorageError(error);
      const isForeign = error.isForeign === true && !(await this.#hasHeldState());
      if (isForeign && !this.force) throw this.#toStorageError(error);
      // A lost state is written as if nothing had been stored.
      const version = isCorrupt ? error.version : null;
      return { state: null, version, failure: this.#toStorageError(error), isForeign, mayBeAppliedElsewhere: true };
    }
  }

  /** Whether a running instance has read a state there: then the content is damaged, whatever it looks like. */
  async #hasHeldState(): Promise<boolean> {
    const { storage, clock } = this;
    const reports = await withTimeout(
      async () => (await storage.reports?.()) ?? [],
      clock,
      STORAGE_CALL_TIMEOUT_MS,
    ).catch(() => []);
    return reports.some((report) => typeof toInstanceReport(report)?.lineage === 'string');
  }

  async #readBack(next: MaintenanceState, version: string): Promise<MaintenanceState> {
    const found = await this.#read().catch((error: unknown) => {
      throw this.#toStorageError(error, ' (after the write, which may have taken effect)');
    });
    const isOurs = found?.version === version;
    const isNewer = found?.state.lineage === next.lineage && found.state.revision > next.revision;
    if (found && (isOurs || isNewer)) return found.state;
    throw new MaintenanceStorageError(
      'unavailable',
      `${this.storage.location}: revision ${next.revision} was written but could not be read back; the storage ` +
        `contains ${found ? `revision ${found.state.revision} of lineage ${found.state.lineage}` : 'nothing'}. ` +
        'Check that no other program writes there, and try again.',
    );
  }

  #read(): Promise<VersionedState | null> {
    return withTimeout(() => this.#reader.read(), this.clock, STORAGE_CALL_TIMEOUT_MS);
  }

  #toStorageError(error: unknown, note = ''): MaintenanceStorageError {
    return toStorageError(error, `${this.storage.location}${note}`);
  }
}

const REPAIR_CHANGE: Change = { action: 'off', windows: [], affected: [] };
