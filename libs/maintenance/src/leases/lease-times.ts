/** The times of a lease, in milliseconds. */
export interface LeaseTimes {
  /** How long a window outlives an owner who died. */
  length: number;
  /** From one renewal to the next. */
  renewal: number;
  /** From a renewal that failed to the next try. */
  retry: number;
  /** How long before the lease runs out the work is told: for clocks that differ, and for what the work has to put in order. */
  margin: number;
  /** How long an application that shuts down waits for work to end. */
  farewell: number;
}

export const LEASE_TIMES: LeaseTimes = {
  length: 60_000,
  renewal: 20_000,
  retry: 2_000,
  margin: 15_000,
  farewell: 5_000,
};
