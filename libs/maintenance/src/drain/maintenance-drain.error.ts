import { escapeControlCharacters } from '../utils/escape-control-characters.js';
import type { DrainReport } from './drain-report.js';

/**
 * Thrown by `during` with `wait` if the drain did not succeed. The work was not called, and the window has ended.
 *
 * @remarks
 * Look at `report.pending` for the instances that block, and try again. `on --wait` and `run` exit with 4 instead.
 *
 * @example
 * ```ts
 * try {
 *   await maintenance.during(migrate, { wait: true, timeout: 300_000, onFailure: 'keep' });
 * } catch (error) {
 *   if (error instanceof MaintenanceDrainError) retryLater(error.report.pending);
 *   else throw error;
 * }
 * ```
 */
export class MaintenanceDrainError extends Error {
  override readonly name = 'MaintenanceDrainError';

  /** @param report - the last report of the drain, with the instances that block it */
  constructor(readonly report: DrainReport) {
    super(escapeControlCharacters(`${describeReport(report)} The work was not started.`));
  }
}

function describeReport({ elapsed, instances, pending }: DrainReport): string {
  const names = pending.map(({ instance: { host, pid }, reason }) => `${host} (pid ${pid}): ${reason}`).join(', ');
  if (pending.length > 0 && pending.every(({ reason }) => reason === 'uncounted')) {
    return `The drain can't tell whether all in-flight requests have finished: ${names}.`;
  }
  const blockers =
    instances.length === 0
      ? 'no instance has reported to the storage'
      : `${pending.length} of ${instances.length} instances blocked it: ${names}`;
  return `The drain timed out after ${Math.round(elapsed / 1000)} s; ${blockers}.`;
}
