/** The times of a lease, in milliseconds. */
export interface LeaseTimes {
  /** How long a window outlives an owner who died. */
  durationMs: number;
  /** From one renewal to the next. */
  renewIntervalMs: number;
  /** From a renewal that failed to the next try. */
  retryDelayMs: number;
  /** How long before the lease runs out the work is told: for clocks that differ, and for what the work has to put in order. */
  safetyMarginMs: number;
  /** How long an application that shuts down waits for work to end. */
  shutdownTimeoutMs: number;
}

export const LEASE_TIMES: LeaseTimes = {
  durationMs: 60_000,
  renewIntervalMs: 20_000,
  retryDelayMs: 2_000,
  safetyMarginMs: 15_000,
  shutdownTimeoutMs: 5_000,
};
