import { Inject, Injectable } from '@nestjs/common';
import { DiscoveryService } from '@nestjs/core';
import type { Observable } from 'rxjs';
import { InFlightTracker } from '../drain/in-flight-tracker.js';
import { STATUS_CHANGES } from '../maintenance.constants.js';
import { HandlerRulesReader } from '../policy/handler-rules.js';
import { MaintenancePolicy } from '../policy/maintenance-policy.js';
import { Clock } from '../utils/clock.js';

/** The providers that pausing background work depends on. */
@Injectable()
export class BackgroundDeps {
  /** @param changes - emits when the status changes, also when a planned window starts or ends */
  constructor(
    @Inject(MaintenancePolicy) readonly policy: MaintenancePolicy,
    @Inject(HandlerRulesReader) readonly reader: HandlerRulesReader,
    @Inject(InFlightTracker) readonly inFlight: InFlightTracker,
    @Inject(Clock) readonly clock: Clock,
    @Inject(DiscoveryService) readonly discovery: DiscoveryService,
    @Inject(STATUS_CHANGES) readonly changes: Observable<unknown>,
  ) {}
}
