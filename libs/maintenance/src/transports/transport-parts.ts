import type { ApplicationConfig, ModulesContainer } from '@nestjs/core';
import type { Observable } from 'rxjs';
import type { EdgeEndpoints } from '../http/edge-endpoints.js';
import type { HttpMount } from '../http/http-mount.js';
import type { HandlerRulesReader } from '../policy/handler-rules.js';
import type { MicroservicesOptions } from '../options/maintenance-options.js';
import type { MaintenancePolicy } from '../policy/maintenance-policy.js';
import type { Clock } from '../utils/clock.js';
import type { InFlight } from '../drain/in-flight.js';
import type { MaintenanceStatus } from '../core/maintenance-status.js';
import type { Upgrades } from './upgrades/upgrades.js';

/** What a transport is made with. */
export interface TransportParts {
  policy: MaintenancePolicy;
  reader: HandlerRulesReader;
  /** The status whenever it changes, also at the moment a planned window starts or ends. */
  changes: Observable<MaintenanceStatus>;
  modules: ModulesContainer;
  config: ApplicationConfig;
  mount: HttpMount;
  /** What decides about upgrades that no transport takes. */
  upgrades: Pick<Upgrades, 'leave'>;
  endpoints: EdgeEndpoints;
  clock: Clock;
  /** Where calls count while they are under way. */
  inFlight: InFlight;
  microservices: Required<MicroservicesOptions>;
  /** The status of every refusal over HTTP. */
  statusCode: number;
  /** Whether refusals may come before the guards: of handshakes, of operations. */
  hasEdge: boolean;
  /** Whether the guard guards everything; else only handlers that name it are closed. */
  hasGuard: boolean;
}
