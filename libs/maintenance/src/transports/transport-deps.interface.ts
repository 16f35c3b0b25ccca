import type { IncomingMessage } from 'node:http';
import type { ApplicationConfig, ModulesContainer } from '@nestjs/core';
import type { Observable } from 'rxjs';
import type { SharedEndpoints } from '../http/shared-endpoints.js';
import type { HttpIntegration } from '../http/http-integration.js';
import type { HandlerRulesReader } from '../policy/handler-rules.js';
import type { MicroservicesOptions } from '../options/maintenance-options.js';
import type { MaintenancePolicy } from '../policy/maintenance-policy.js';
import type { Clock } from '../utils/clock.js';
import type { InFlightTracker } from '../drain/in-flight-tracker.js';
import type { MaintenanceStatus } from '../core/maintenance-status.js';

/** What a transport is made with. */
export interface TransportDeps {
  policy: MaintenancePolicy;
  reader: HandlerRulesReader;
  /** The status whenever it changes, also at the moment a planned window starts or ends. */
  changes: Observable<MaintenanceStatus>;
  modules: ModulesContainer;
  config: ApplicationConfig;
  httpIntegration: HttpIntegration;
  /** Decides upgrades that no other transport takes. */
  upgrades: { delegate(takes: (request: IncomingMessage) => boolean): void };
  endpoints: SharedEndpoints;
  clock: Clock;
  /** Where calls count while they are under way. */
  inFlight: InFlightTracker;
  microservices: Required<MicroservicesOptions>;
  /** The status of every refusal over HTTP. */
  statusCode: number;
  /** Whether refusals may come before the guards: of handshakes, of operations. */
  hasMiddleware: boolean;
  /** Whether the guard guards everything; else only handlers that name it are closed. */
  hasGlobalGuard: boolean;
}
