import type { IncomingMessage } from 'node:http';
import type { ApplicationConfig, DiscoveryService, ModulesContainer } from '@nestjs/core';
import type { Observable } from 'rxjs';
import type { SharedEndpoints } from '../http/shared-endpoints.js';
import type { HttpIntegration } from '../http/http-integration.js';
import type { HandlerRulesReader } from '../policy/handler-rules.js';
import type { MicroservicesOptions } from '../options/maintenance-options.js';
import type { MaintenancePolicy } from '../policy/maintenance-policy.js';
import type { Clock } from '../utils/clock.js';
import type { InFlightTracker } from '../drain/in-flight-tracker.js';
import type { MaintenanceStatus } from '../core/maintenance-status.js';

/** The dependencies of transports. */
export interface TransportDeps {
  policy: MaintenancePolicy;
  reader: HandlerRulesReader;
  /** Emits the status when it changes, also when a planned window starts or ends. */
  changes: Observable<MaintenanceStatus>;
  discovery: DiscoveryService;
  /** Only for the servers of microservices; {@link discovery} finds providers. */
  modules: ModulesContainer;
  config: ApplicationConfig;
  httpIntegration: HttpIntegration;
  /** Decides about the upgrades that no transport handles. */
  upgrades: { delegate(takes: (request: IncomingMessage) => boolean): void };
  endpoints: SharedEndpoints;
  clock: Clock;
  /** Counts the calls that are in flight. */
  inFlight: InFlightTracker;
  microservices: Required<MicroservicesOptions>;
  /** The HTTP status of refusals. */
  statusCode: number;
  /** Whether calls may be refused before the guards run: handshakes, GraphQL operations. */
  hasMiddleware: boolean;
  /** Whether the guard is global; otherwise only handlers with `@UseGuards(MaintenanceGuard)` are refused. */
  hasGlobalGuard: boolean;
}
