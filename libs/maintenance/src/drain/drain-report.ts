import type { InstanceReport } from '../core/instance-report.js';

/** Why an instance holds a drain up. */
export type PendingReason =
  /** It does not go by the state that is stored, or has not said so yet. */
  | 'behind'
  /** It still works on what it admitted before. */
  | 'in-flight'
  /** It works on something that it can't count: `uncounted` of its report says what. To wait longer brings nothing. */
  | 'uncounted'
  /** Its configuration, or the failure of its storage, keeps it open. */
  | 'forced-off';

/** An instance that holds a drain up. */
export interface PendingInstance {
  /** What it said last. */
  instance: InstanceReport;
  reason: PendingReason;
  /** How long nothing was heard of it, in milliseconds. */
  silentFor: number;
}

/** How a drain came out. */
export interface DrainReport {
  /** Whether every instance goes by the state and has nothing in flight that it admitted before. */
  drained: boolean;
  /** The revision that was waited for. */
  revision: number;
  /** How long it took, in milliseconds. */
  elapsed: number;
  /** Every instance that lives, by what it said last. */
  instances: InstanceReport[];
  /** Those that hold it up; empty when it is drained, or when no instance reports at all. */
  pending: PendingInstance[];
}
