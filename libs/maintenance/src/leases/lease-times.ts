/** The times of a lease, in milliseconds. */
export interface LeaseTimes {
  /** The time after which a window ends if its process died. */
  durationMs: number;
  /** The time between two renewals. */
  renewIntervalMs: number;
  /** The delay before a failed renewal is retried. */
  retryDelayMs: number;
  /** The time before the end of the lease at which the work is aborted: for clocks that differ, and for cleaning up. */
  safetyMarginMs: number;
  /** The time for which a shutdown waits for the work. */
  shutdownTimeoutMs: number;
}

/** The times of all leases, except in tests. */
export const LEASE_TIMES: LeaseTimes = {
  durationMs: 60_000,
  renewIntervalMs: 20_000,
  retryDelayMs: 2_000,
  safetyMarginMs: 15_000,
  shutdownTimeoutMs: 5_000,
};
