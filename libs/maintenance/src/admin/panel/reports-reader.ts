import { assertSupportsReports } from '../../drain/assert-supports-reports.js';
import { toStorageError } from '../../errors/maintenance-storage.error.js';
import type { StateStorage } from '../../storage/state-storage.js';
import type { Clock } from '../../utils/clock.js';
import { withTimeout } from '../../utils/with-timeout.js';

/** How old the reports may be that a read returns, in milliseconds. */
const MAX_AGE_MS = 1_000;
/** The time after which a read counts as failed, in milliseconds. */
const TIMEOUT_MS = 3_000;

/** Reads the reports of the instances for all who want them, at most once a second. */
export class ReportsReader {
  #reading: Promise<readonly unknown[]> | null = null;
  #startedAt = -Infinity;
  #onRead: (reports: readonly unknown[]) => void = () => undefined;

  constructor(
    private readonly storage: StateStorage,
    private readonly clock: Clock,
  ) {}

  /** Sets the function that is called after each read. */
  onRead(listener: (reports: readonly unknown[]) => void): void {
    this.#onRead = listener;
  }

  /**
   * Reads the reports as the storage returns them.
   *
   * @throws {@link MaintenanceStorageError} if the storage fails, or does not support reports
   */
  read(): Promise<readonly unknown[]> {
    const now = performance.now();
    if (this.#reading && now - this.#startedAt < MAX_AGE_MS) return this.#reading;
    this.#startedAt = now;
    this.#reading = this.#read();
    // A failure is the answer for all who wait for this read, and for those who ask soon after it.
    this.#reading.catch(() => undefined);
    return this.#reading;
  }

  async #read(): Promise<readonly unknown[]> {
    const { storage, clock } = this;
    assertSupportsReports(storage);
    try {
      const reports = await withTimeout(() => storage.reports(), clock, TIMEOUT_MS);
      this.#onRead(reports);
      return reports;
    } catch (error) {
      throw toStorageError(error, storage.location);
    }
  }
}
