import { randomBytes } from 'node:crypto';
import { setTimeout as pause } from 'node:timers/promises';
import { createNextState, type Change, type ChangeOrigin } from '../core/window-changes.js';
import type { Clock } from '../utils/clock.js';
import { withTimeout } from '../utils/with-timeout.js';
import { toInstanceReport } from '../core/instance-report.js';
import type { MaintenanceState } from '../core/maintenance-state.js';
import type { StoredWindow } from '../core/maintenance-window.js';
import { unwrapCache } from './cache/cached-state-storage.js';
import { isStorageError, MaintenanceStorageError, toStorageError } from '../errors/maintenance-storage.error.js';
import { StateReader } from './state-reader.js';
import type { StateStorage, VersionedState } from './state-storage.js';

/** How a change of the state came out. */
export interface WriteResult {
  /** What the storage holds now. */
  state: MaintenanceState | null;
  /** What was done; `null`: nothing, as it would have changed nothing. */
  change: Change | null;
  /** Whether the storage held content that was not a state, which the change replaced. */
  replacedCorrupt: boolean;
}

interface StoredContent {
  state: MaintenanceState | null;
  version: string | null;
  /** Why there is no state, where there should be one; `off` and `on` put one there. */
  failure?: MaintenanceStorageError;
  /** Whether instances may go by a state that is no longer there. */
  mayBeCachedElsewhere: boolean;
}

/** Writers that meet again and again give up after this many milliseconds. */
const CONFLICT_TIMEOUT_MS = 10_000;
/** A storage that takes longer for one call counts as failed, in milliseconds. */
const STORAGE_CALL_TIMEOUT_MS = 10_000;

/** Changes the stored state by compare-and-set, and reads it back before it says so. */
export class StateWriter {
  readonly #reader: StateReader;

  /** @param force - whether content that never was a state is replaced, too */
  constructor(
    private readonly storage: StateStorage,
    private readonly clock: Clock,
    private readonly force = false,
  ) {
    // A change is worked out on what the storage holds, and read back from there: never on a copy that may be behind.
    this.#reader = new StateReader(unwrapCache(storage));
  }

  /**
   * Applies `work` to the windows that are stored. On a conflict it reads again and retries. Corrupt content is replaced;
   * what never was a state only by force.
   *
   * @param work - works the change out; called anew for each try
   * @param repairs - whether a change that finds nothing to end leaves a state behind all the same, where what is there is no state,
   *   or none is there any more: instances go by the last one that they know until there is one
   * @throws {@link MaintenanceStorageError} if the storage can't be read or written, or does not give back what was written
   */
  async change(
    work: (windows: readonly StoredWindow[], now: number) => Change | null,
    origin: ChangeOrigin,
    repairs = false,
  ): Promise<WriteResult> {
    const lineage = randomBytes(12).toString('hex');
    const deadline = performance.now() + CONFLICT_TIMEOUT_MS;
    for (let tries = 1; ; tries++) {
      const { state: base, version, failure, mayBeCachedElsewhere: isForgotten } = await this.#readForChange();
      const replacedCorrupt = failure?.code === 'corrupt';
      const now = this.clock.now();
      const change = work(base?.windows ?? [], now) ?? (repairs && isForgotten ? REPAIR_CHANGE : null);
      // Nothing was found to end, and nothing was there to look for it in.
      if (change === null && failure) throw failure;
      if (change === null) return { state: base, change, replacedCorrupt: false };
      const next = createNextState(base, change, origin, now, lineage);
      try {
        const written = await withTimeout(() => this.storage.write(next, version), this.clock, STORAGE_CALL_TIMEOUT_MS);
        return { state: await this.#readBack(next, written), change, replacedCorrupt };
      } catch (error) {
        if (!isStorageError(error) || error.code !== 'conflict') throw this.#toStorageError(error);
        if (performance.now() > deadline) {
          const message = `${this.storage.location}: other writers came first for ${CONFLICT_TIMEOUT_MS / 1000} s; nothing was changed. Try again.`;
          throw new MaintenanceStorageError('conflict', message, { cause: error });
        }
      }
      await pause(Math.random() * Math.min(2 ** tries, 100));
    }
  }

  async #readForChange(): Promise<StoredContent> {
    try {
      const found = await this.#read();
      const isForgotten = found === null && this.storage.isVolatile === true;
      return { state: found?.state ?? null, version: found?.version ?? null, mayBeCachedElsewhere: isForgotten };
    } catch (error) {
      const isCorrupt = isStorageError(error) && error.code === 'corrupt' && error.version !== undefined;
      const isLost = isStorageError(error) && error.code === 'lost';
      if (!isCorrupt && !isLost) throw this.#toStorageError(error);
      if (error.isForeign && !this.force && !(await this.#hasHeldState())) throw this.#toStorageError(error);
      // What vanished may be written anew.
      const version = isCorrupt ? error.version : null;
      return { state: null, version, failure: this.#toStorageError(error), mayBeCachedElsewhere: true };
    }
  }

  /** Whether an instance that lives has read a state there: then the content is damaged, whatever it looks like. */
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
    const isLater = found?.state.lineage === next.lineage && found.state.revision > next.revision;
    if (found && (isOurs || isLater)) return found.state;
    throw new MaintenanceStorageError(
      'unavailable',
      `${this.storage.location}: revision ${next.revision} was written but could not be read back; the storage holds ` +
        `${found ? `revision ${found.state.revision} of another lineage` : 'nothing'}.`,
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
