import { toInstanceReport } from '../../core/instance-report.js';
import type { StateMonitor } from '../../core/state-monitor.js';
import { getTargetRevision } from '../../drain/agreement.js';
import { DrainProgress } from '../../drain/drain-progress.js';
import { compareInstances } from '../../drain/instance-reports.js';
import { getMachineId, isProcessGone } from '../../drain/process-lookup.js';
import type { Clock } from '../../utils/clock.js';
import { toErrorMessage } from '../../utils/to-error-message.js';
import type { PanelFleet } from './panel-state.js';
import type { ReportsReader } from './reports-reader.js';

/** Reads the instances, and follows their drain while a window is active. */
export class FleetReader {
  #progress: DrainProgress | null = null;
  /** The occurrences of windows whose drain is followed. */
  #followed: readonly string[] = [];

  constructor(
    private readonly reader: ReportsReader,
    private readonly monitor: StateMonitor,
    private readonly clock: Clock,
  ) {}

  /** Reads the fleet. Never rejects: the error of a storage that fails is part of the result. */
  async read(): Promise<PanelFleet> {
    try {
      const here = getMachineId();
      const found = (await this.reader.read())
        .flatMap((value) => toInstanceReport(value) ?? [])
        .filter((report) => !isProcessGone(report, here));
      const { forced, active } = this.monitor.getSnapshot();
      if (!(forced ?? active.length > 0)) {
        this.#progress = null;
        return { instances: found.filter(({ stopped }) => stopped !== true).sort(compareInstances), drain: null };
      }
      // No client may have read between two windows: an instance that is gone since must not hold the second drain.
      const occurrences = active.map(({ id, startsAt }) => `${id} ${startsAt}`);
      const isSame = occurrences.length === 0 || occurrences.some((one) => this.#followed.includes(one));
      if (!isSame) this.#progress = null;
      this.#followed = occurrences;
      this.#progress ??= new DrainProgress(this.clock);
      this.#progress.record(found);
      const { state } = this.monitor;
      const target = { lineage: state?.lineage ?? null, revision: getTargetRevision(state), windows: active };
      const { instances, drained, pending } = this.#progress.compare(target);
      return { instances, drain: { drained, pending } };
    } catch (error) {
      return { instances: [], drain: null, error: toErrorMessage(error) };
    }
  }
}
