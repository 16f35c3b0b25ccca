import type { Provider } from '@nestjs/common';
import { ApplicationConfig, DiscoveryService, ModulesContainer } from '@nestjs/core';
import type { Subject } from 'rxjs';
import { SharedEndpoints } from '../http/shared-endpoints.js';
import { HttpIntegration } from '../http/http-integration.js';
import { HttpTransport } from '../http/http-transport.js';
import { Responder } from '../http/responder.js';
import type { MaintenanceModuleExtras } from '../options/maintenance-options.js';
import type { ResolvedOptions } from '../options/resolved-options.js';
import { GATEWAY_METADATA, GRAPHQL_MODULE_OPTIONS, PATTERN_METADATA, SSE_METADATA } from '../nest-internals.js';
import { HandlerRulesReader } from '../policy/handler-rules.js';
import { MaintenancePolicy } from '../policy/maintenance-policy.js';
import { TransportAdapters, type TransportAdapter } from '../policy/transport-adapters.js';
import { Clock } from '../utils/clock.js';
import { findUsedKeys, hasProvider } from '../utils/discovery.js';
import { InFlightTracker } from '../drain/in-flight-tracker.js';
import type { MaintenanceStatus } from '../core/maintenance-status.js';
import type { TransportDeps } from './transport-deps.interface.js';
import { UpgradeTransport } from './upgrades/upgrade-transport.js';
import { STATUS_CHANGES, MODULE_EXTRAS, RESOLVED_OPTIONS } from '../maintenance.constants.js';

/** Provides the transports that the application uses. The code of the others is not loaded. */
export const transportsProvider: Provider = {
  provide: TransportAdapters,
  inject: [
    DiscoveryService,
    ModulesContainer,
    ApplicationConfig,
    HttpIntegration,
    SharedEndpoints,
    MaintenancePolicy,
    HandlerRulesReader,
    Responder,
    STATUS_CHANGES,
    MODULE_EXTRAS,
    Clock,
    RESOLVED_OPTIONS,
    InFlightTracker,
    HttpTransport,
  ],
  useFactory: async (
    discovery: DiscoveryService,
    modules: ModulesContainer,
    config: ApplicationConfig,
    httpIntegration: HttpIntegration,
    endpoints: SharedEndpoints,
    policy: MaintenancePolicy,
    reader: HandlerRulesReader,
    { statusCode }: Responder,
    changes: Subject<MaintenanceStatus>,
    extras: MaintenanceModuleExtras,
    clock: Clock,
    { microservices }: ResolvedOptions,
    inFlight: InFlightTracker,
    httpTransport: HttpTransport,
  ): Promise<TransportAdapters> => {
    const hasMiddleware = extras.mount?.edge !== false;
    const hasGlobalGuard = extras.mount?.guard !== false;
    const http = { httpIntegration, endpoints, statusCode, hasMiddleware, hasGlobalGuard };
    const upgrades = new UpgradeTransport({ policy, changes, clock, ...http });
    const deps = {
      policy,
      reader,
      changes,
      clock,
      inFlight,
      discovery,
      modules,
      config,
      microservices,
      upgrades,
      ...http,
    };
    return new TransportAdapters([httpTransport, upgrades, ...(await createTransports(deps))]);
  },
};

async function createTransports(deps: TransportDeps): Promise<TransportAdapter[]> {
  const { discovery } = deps;
  const used: TransportAdapter[] = [];
  const keys = findUsedKeys(discovery, [SSE_METADATA, PATTERN_METADATA, GATEWAY_METADATA]);
  if (keys.has(SSE_METADATA))
    used.push(new (await import('./sse/event-stream-transport.js')).EventStreamTransport(deps));
  if (hasProvider(discovery, GRAPHQL_MODULE_OPTIONS))
    used.push(await (await import('./graphql/graphql-transport.js')).GraphqlTransport.create(deps));
  if (keys.has(PATTERN_METADATA))
    used.push(await (await import('./microservices/microservice-transport.js')).MicroserviceTransport.create(deps));
  if (keys.has(GATEWAY_METADATA))
    used.push(await (await import('./websockets/websocket-transport.js')).WebSocketTransport.create(deps));
  return used;
}
