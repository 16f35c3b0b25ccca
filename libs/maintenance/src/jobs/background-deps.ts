import type { DiscoveryService } from '@nestjs/core';
import type { Observable } from 'rxjs';
import type { InFlightTracker } from '../drain/in-flight-tracker.js';
import type { HandlerRulesReader } from '../policy/handler-rules.js';
import type { MaintenancePolicy } from '../policy/maintenance-policy.js';
import type { Clock } from '../utils/clock.js';

/** The providers that pausing background work depends on. */
export class BackgroundDeps {
  /** @param changes - emits when the status changes, also when a planned window starts or ends */
  constructor(
    readonly policy: MaintenancePolicy,
    readonly reader: HandlerRulesReader,
    readonly inFlight: InFlightTracker,
    readonly clock: Clock,
    readonly discovery: DiscoveryService,
    readonly changes: Observable<unknown>,
  ) {}
}
