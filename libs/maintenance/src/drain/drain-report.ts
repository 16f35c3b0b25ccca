import type { InstanceReport } from '../core/instance-report.js';

/** The reason why an instance blocks a drain. */
export type PendingReason =
  /** It has not applied the stored state, or has not reported it yet. */
  | 'behind'
  /** It has in-flight requests that it admitted before the window. */
  | 'in-flight'
  /** It may have work that it can't count, see `uncounted` of its report. Waiting longer does not help. */
  | 'uncounted'
  /** It still admits calls: the option `enabled`, or a failing storage, forces maintenance off. */
  | 'forced-off';

/** An instance that blocks a drain. */
export interface PendingInstance {
  /** The last report of the instance. */
  instance: InstanceReport;
  /** The reason why it blocks the drain. */
  reason: PendingReason;
  /** The time since its last report, in milliseconds. */
  silentFor: number;
}

/** The result of a drain. */
export interface DrainReport {
  /** Whether every instance applies the state and has finished its requests from before the window. */
  drained: boolean;
  /** The revision that the instances had to apply. */
  revision: number;
  /** The duration of the drain, in milliseconds. */
  elapsed: number;
  /** The last report of each running instance. */
  instances: InstanceReport[];
  /** The instances that block the drain; empty if it is drained, or if no instance reports at all. */
  pending: PendingInstance[];
}
