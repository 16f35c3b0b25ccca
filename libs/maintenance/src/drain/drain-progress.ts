import { isDeepStrictEqual } from 'node:util';
import type { InstanceReport } from '../core/instance-report.js';
import type { StoredWindow } from '../core/maintenance-window.js';
import type { Clock } from '../utils/clock.js';
import { isBehind } from './agreement.js';
import type { DrainReport, PendingInstance, PendingReason } from './drain-report.js';
import { compareInstances } from './instance-reports.js';
import { getMachineId, isProcessGone } from './process-lookup.js';

/** The state that the instances have to apply. */
export interface DrainTarget {
  lineage: string | null;
  revision: number;
  /** The active windows. */
  windows: readonly StoredWindow[];
}

interface KnownInstance {
  report: InstanceReport;
  /** The time at which this process found the last report, by its monotonic clock. */
  lastSeenAt: number;
}

/**
 * Follows the reports of the instances while they drain. It remembers those whose reports have expired: an instance
 * that stops reporting may be partitioned and still serving.
 */
export class DrainProgress {
  readonly #known = new Map<string, KnownInstance>();

  constructor(private readonly clock: Clock) {}

  /** Records the reports that are in the storage now. */
  record(found: readonly InstanceReport[]): void {
    const now = performance.now();
    for (const report of found) this.#recordReport(report, now);
    this.#removeDeadInstances();
  }

  /** Compares the instances with the state that they have to apply. */
  compare(target: DrainTarget): Pick<DrainReport, 'drained' | 'instances' | 'pending'> {
    const now = performance.now();
    const all = [...this.#known.values()];
    const pending = all.flatMap((known): PendingInstance[] => {
      const reason = getPendingReason(known.report, target);
      return reason ? [{ instance: known.report, reason, silentFor: now - known.lastSeenAt }] : [];
    });
    return {
      // No instance reported at all: probably the wrong storage.
      drained: pending.length === 0 && all.length > 0,
      instances: all.map(({ report }) => report).sort(compareInstances),
      pending: pending.sort((a, b) => compareInstances(a.instance, b.instance)),
    };
  }

  #recordReport(report: InstanceReport, now: number): void {
    const last = this.#known.get(report.id);
    // Not by `seenAt` alone: two reports may be of the same millisecond.
    if (last && isDeepStrictEqual(last.report, report)) return;
    // An instance that was shut down with requests in flight can't report that they are finished: it stays.
    if (report.stopped && report.inFlight === 0) this.#known.delete(report.id);
    else this.#known.set(report.id, { report, lastSeenAt: last ? now : now - getReportAge(report, this.clock) });
  }

  // Only processes of this machine can be checked; of all others, only their silence is known.
  #removeDeadInstances(): void {
    const here = getMachineId();
    for (const [id, { report }] of this.#known) if (isProcessGone(report, here)) this.#known.delete(id);
  }
}

function getPendingReason(report: InstanceReport, target: DrainTarget): PendingReason | null {
  if (report.stopped) return 'in-flight';
  const { windows } = target;
  const isApplied = (window: StoredWindow): boolean =>
    report.windows?.some(({ id, startsAt }) => id === window.id && startsAt === window.startsAt) ?? true;
  if (report.forced === false) return 'forced-off';
  // Without a window, only instances refuse that are forced on.
  const refuses = !isBehind(report, target) && windows.length > 0 && windows.every(isApplied);
  if (report.forced !== true && !refuses) return 'behind';
  if (report.inFlight > 0) return 'in-flight';
  return report.uncounted && report.uncounted.length > 0 ? 'uncounted' : null;
}

// Clocks of two machines may differ, but an age below 0 is always wrong.
function getReportAge({ seenAt }: InstanceReport, clock: Clock): number {
  return Math.max(0, clock.now() - Date.parse(seenAt));
}
