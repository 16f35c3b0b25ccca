import type { Provider } from '@nestjs/common';
import { ApplicationConfig, ModulesContainer } from '@nestjs/core';
import type { Subject } from 'rxjs';
import { EdgeEndpoints } from '../http/edge-endpoints.js';
import { HttpMount } from '../http/http-mount.js';
import { Responder } from '../http/responder.js';
import type { MaintenanceModuleExtras } from '../options/maintenance-options.js';
import type { ResolvedOptions } from '../options/resolved-options.js';
import { HandlerRulesReader } from '../policy/handler-rules.js';
import { MaintenancePolicy } from '../policy/maintenance-policy.js';
import { Transports, type Transport } from '../policy/transport.js';
import { Clock } from '../utils/clock.js';
import { InFlight } from '../drain/in-flight.js';
import type { MaintenanceStatus } from '../core/maintenance-status.js';
import type { TransportParts } from './transport-parts.js';
import { Upgrades } from './upgrades/upgrades.js';
import { usageOf } from './usage.js';
import { CHANGES, EXTRAS, OPTIONS } from '../maintenance.constants.js';

/** The transports that the application uses. What it does not use is not loaded. */
export const transports: Provider = {
  provide: Transports,
  inject: [
    ModulesContainer,
    ApplicationConfig,
    HttpMount,
    EdgeEndpoints,
    MaintenancePolicy,
    HandlerRulesReader,
    Responder,
    CHANGES,
    EXTRAS,
    Clock,
    OPTIONS,
    InFlight,
  ],
  useFactory: async (
    modules: ModulesContainer,
    config: ApplicationConfig,
    mount: HttpMount,
    endpoints: EdgeEndpoints,
    policy: MaintenancePolicy,
    reader: HandlerRulesReader,
    { statusCode }: Responder,
    changes: Subject<MaintenanceStatus>,
    extras: MaintenanceModuleExtras,
    clock: Clock,
    { microservices }: ResolvedOptions,
    inFlight: InFlight,
  ): Promise<Transports> => {
    const [hasEdge, hasGuard] = [extras.mount?.edge !== false, extras.mount?.guard !== false];
    const http = { mount, endpoints, statusCode, hasEdge, hasGuard };
    const upgrades = new Upgrades({ policy, changes, clock, ...http });
    const parts = { policy, reader, changes, clock, inFlight, modules, config, microservices, upgrades, ...http };
    return new Transports([upgrades, ...(await transportsFor(parts))]);
  },
};

async function transportsFor(parts: TransportParts): Promise<Transport[]> {
  const usage = usageOf(parts.modules);
  const used: Transport[] = [];
  if (usage.eventStreams) used.push(new (await import('./sse/event-streams.js')).EventStreams(parts));
  if (usage.graphql) used.push(await (await import('./graphql/graphql.js')).GraphqlTransport.create(parts));
  if (usage.microservices)
    used.push(await (await import('./microservices/microservices.js')).Microservices.create(parts));
  if (usage.sockets) used.push(await (await import('./websockets/sockets.js')).Sockets.create(parts));
  return used;
}
