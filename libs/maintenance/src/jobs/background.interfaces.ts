import type { ModulesContainer } from '@nestjs/core';
import type { Observable } from 'rxjs';
import type { HandlerRulesReader } from '../policy/handler-rules.js';
import type { MaintenancePolicy } from '../policy/maintenance-policy.js';
import type { Clock } from '../utils/clock.js';
import type { InFlightTracker } from '../drain/in-flight-tracker.js';

/** What makes background work rest is made with this. */
export interface BackgroundDeps {
  policy: MaintenancePolicy;
  reader: HandlerRulesReader;
  inFlight: InFlightTracker;
  clock: Clock;
  modules: ModulesContainer;
  /** Tells whenever the status changes, also at the moment a planned window starts or ends. */
  changes: Observable<unknown>;
}

/** One package whose work rests. */
export interface PausablePackage {
  /** Hooks in, before anything of the package has started. */
  attach(): void;
  /** Goes by what holds now, where nobody asks each time. */
  update?(): void;
  /** What rests now, for people: `2 scheduled jobs`; `null` if nothing does. */
  readonly pausedSummary: string | null;
  /** Lets go of whatever it has hooked into. */
  close(): void;
}
