import { randomBytes } from 'node:crypto';
import { setTimeout as pause } from 'node:timers/promises';
import { keepWindow } from '../../core/lease-changes.js';
import type { MaintenanceState } from '../../core/maintenance-state.js';
import { isActiveAt, type StoredWindow } from '../../core/maintenance-window.js';
import { endWindows } from '../../core/window-changes.js';
import { isStorageError } from '../../errors/maintenance-storage.error.js';
import type { CreateChange } from '../../leases/lease.js';
import { describeTurnedOff } from '../../leases/lease-errors.js';
import { createBypass } from '../../policy/bypass.js';
import { unwrapCache } from '../../storage/cache/cached-state-storage.js';
import { StateReader } from '../../storage/state-reader.js';
import { StateWriter, type WriteResult } from '../../storage/state-writer.js';
import { createStart } from '../../storage/window-writer.js';
import { SystemClock, type Clock } from '../../utils/clock.js';
import { withTimeout } from '../../utils/with-timeout.js';
import { waitForAgreement } from '../../drain/wait-for-agreement.js';
import {
  AGREEMENT_TIMEOUT_MS,
  assertNotForced,
  createChangeReport,
  createOrigin,
  parseOnRequest,
  type ChangeReport,
  type OnRequest,
} from '../maintenance-commands.js';
import type { Target } from '../target-finder.js';

/** How long a short outage of the storage may last before a step fails, and the pause between attempts. */
const MAX_OUTAGE_MS = 10_000;
const RETRY_INTERVAL_MS = 500;
/** A read of the storage fails after so many milliseconds. */
const READ_TIMEOUT_MS = 10_000;

/** The result of ending or keeping the window. */
export interface WindowResult {
  report: ChangeReport;
  /** How the window had ended before: `was turned off by ann@ops-1 (cli) at ...`; missing if it was on. */
  endedBefore?: string;
}

/**
 * The window of one `run`. Every change is read back before it is reported. It has no lease, so that maintenance
 * stays on if the command is killed.
 */
export class RunWindow {
  readonly id = randomBytes(4).toString('hex');
  readonly #writer: StateWriter;
  readonly #reader: StateReader;
  #window: StoredWindow | undefined;
  #mayBeOn = false;

  constructor(
    private readonly target: Target,
    private readonly clock: Clock = new SystemClock(),
  ) {
    this.#writer = new StateWriter(target.storage, clock, target.force);
    this.#reader = new StateReader(unwrapCache(target.storage));
  }

  /** Whether the window may have been written, also if {@link start} has failed. */
  get mayBeOn(): boolean {
    return this.#mayBeOn;
  }

  /**
   * Starts the window, beside those that are on.
   *
   * @param isAwaited - whether the caller waits until the instances apply it; otherwise this waits up to 3 s
   * @throws {@link InvalidWindowError}, {@link MaintenanceForcedError}, {@link MaintenanceStorageError}
   */
  async start(request: OnRequest, isAwaited: boolean): Promise<ChangeReport> {
    assertNotForced(this.target);
    const window = parseOnRequest(request, this.clock.now());
    const bypass = request.bypass ? createBypass() : undefined;
    const origin = createOrigin();
    const createChange = createStart({ ...window, bypass: bypass?.stored, isOwned: true }, this.id, origin.by);
    const written = await this.#writer.change(
      (windows, now) => {
        const change = createChange(windows, now);
        this.#window = change?.affected[0];
        this.#mayBeOn = true;
        return change;
      },
      origin,
      { ifRevision: request.ifRevision },
    );
    const report = await this.#createReport(written, isAwaited ? 0 : AGREEMENT_TIMEOUT_MS);
    return { ...report, token: bypass?.token, isAwaited };
  }

  /** Reads whether the window has ended meanwhile, and how; `undefined` while it is on. */
  findEnd(): Promise<string | undefined> {
    return retryInOutage(async () => {
      const found = await withTimeout(() => this.#reader.read(), this.clock, READ_TIMEOUT_MS);
      const isOn = found?.state.windows.some((window) => window.id === this.id && isActiveAt(window, this.clock.now()));
      return isOn ? undefined : this.#describeEnd(found?.state ?? null);
    });
  }

  /** Ends the window. A short outage of the storage is retried. */
  end(): Promise<WindowResult> {
    return this.#change((windows, now) => endWindows(windows, { id: this.id }, now), AGREEMENT_TIMEOUT_MS);
  }

  /** Leaves the window on, as one that `on` can change. */
  keep(): Promise<WindowResult> {
    return this.#change((windows, now) => keepWindow(windows, this.id, now), 0);
  }

  async #change(createChange: CreateChange, agreementTimeout: number): Promise<WindowResult> {
    const written = await retryInOutage(() => this.#writer.change(createChange, createOrigin()));
    const report = await this.#createReport(written, agreementTimeout);
    return written.change === null ? { report, endedBefore: this.#describeEnd(written.state) } : { report };
  }

  async #createReport(written: WriteResult, agreementTimeout: number): Promise<ChangeReport> {
    const report = createChangeReport(written, this.target, this.clock);
    const { state } = written;
    return { ...report, agreement: await waitForAgreement(this.target.storage, state, agreementTimeout, this.clock) };
  }

  #describeEnd(state: MaintenanceState | null): string {
    const turnedOff = describeTurnedOff(this.id, state);
    if (turnedOff !== undefined) return turnedOff;
    const { endsAt } = this.#window ?? {};
    if (endsAt && Date.parse(endsAt) <= this.clock.now()) return `was over at ${endsAt}, its end`;
    return state === null
      ? 'is gone: nothing is stored any more'
      : `is gone: revision ${state.revision} does not contain it, and its history does not say why`;
  }
}

async function retryInOutage<T>(work: () => Promise<T>): Promise<T> {
  const deadline = performance.now() + MAX_OUTAGE_MS;
  for (;;) {
    try {
      return await work();
    } catch (error) {
      const isOutage = !isStorageError(error) || error.code === 'unavailable';
      if (!isOutage || performance.now() >= deadline) throw error;
    }
    await pause(RETRY_INTERVAL_MS);
  }
}
