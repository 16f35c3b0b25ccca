import type { InstanceReport } from '../core/instance-report.js';
import type { MaintenanceState } from '../core/maintenance-state.js';
import type { StoredWindow } from '../core/maintenance-window.js';
import { WindowSchedule } from '../core/window-schedule.js';

/** The reason why an instance does not apply the stored state. */
export type DisagreementReason =
  /** It applies a state that is no longer stored, or has not read this one yet. */
  | 'other-state'
  /** It applies an earlier revision. */
  | 'behind'
  /** The option `enabled`, or a failing storage, decides instead of the stored windows. */
  | 'forced'
  /** It applies the same revision, but other windows are active: its clock differs. */
  | 'clock';

/** An instance that does not apply the stored state. */
export interface Disagreement {
  instance: InstanceReport;
  reason: DisagreementReason;
  /** Whether the instance refuses any calls. */
  refuses: boolean;
}

/** The state that the instances are compared with. */
export interface TargetState {
  lineage: string | null;
  revision: number;
}

/** Whether an instance has not applied `target` yet. */
export function isBehind(report: InstanceReport, { lineage, revision }: TargetState): boolean {
  return report.lineage !== lineage || report.revision < revision;
}

/**
 * Returns the revision that instances have to apply: that of the last change. The renewal of a lease makes a
 * revision too, but it changes nothing that an instance would report.
 */
export function getTargetRevision(state: MaintenanceState | null): number {
  return Math.min(state?.history[0]?.revision ?? Infinity, state?.revision ?? 0);
}

/** Returns the instances that do not apply `state`, as it is at `now`. */
export function findDisagreements(
  state: MaintenanceState | null,
  instances: readonly InstanceReport[],
  now: number,
): Disagreement[] {
  const target = { lineage: state?.lineage ?? null, revision: getTargetRevision(state) };
  const active = new WindowSchedule(state?.windows ?? []).getActiveAt(now);
  return instances.flatMap((instance) => {
    const reason = getReason(instance, target, active);
    return reason ? [{ instance, reason, refuses: isRefusing(instance) }] : [];
  });
}

function getReason(
  report: InstanceReport,
  target: TargetState,
  active: readonly StoredWindow[],
): DisagreementReason | null {
  if (report.forced !== undefined) return report.forced === active.length > 0 ? null : 'forced';
  if (report.lineage !== target.lineage) return 'other-state';
  if (report.revision < target.revision) return 'behind';
  // The instance has read a later revision than this reader, and its windows may differ.
  if (report.revision > target.revision || !report.windows) return null;
  return hasSameWindows(report.windows, active) ? null : 'clock';
}

function hasSameWindows(reported: NonNullable<InstanceReport['windows']>, active: readonly StoredWindow[]): boolean {
  const key = ({ id, startsAt }: { id: string; startsAt: string }): string => `${id} ${startsAt}`;
  const keys = new Set(reported.map(key));
  return keys.size === active.length && active.every((window) => keys.has(key(window)));
}

function isRefusing({ forced, windows }: InstanceReport): boolean {
  return forced ?? (windows?.length ?? 0) > 0;
}
