/** A package whose background work pauses during full windows: one for each kind of scheduler or queue. */
export interface PausablePackage {
  /** The unit that pauses, in the singular as the log prints it, such as `queue worker`. */
  readonly unit: string;
  /** Patches the providers of the package, before any of them has started. */
  attach(): void;
  /** Pauses or resumes work that takes jobs by itself. Left out where each run asks the policy. */
  update?(): void;
  /** Returns how many units are paused now. */
  countPaused(): number;
  /** Removes the patches. */
  detach(): void;
}
