import { Inject, Module, type OnModuleInit, type Provider } from '@nestjs/common';
import { DiscoveryModule, DiscoveryService, ModuleRef } from '@nestjs/core';
import { InFlightTracker } from '../drain/in-flight-tracker.js';
import { RESOLVED_OPTIONS, STATUS_CHANGES } from '../maintenance.constants.js';
import type { NestModuleInternals } from '../nest-internals.js';
import { HandlerRulesReader } from '../policy/handler-rules.js';
import { MaintenancePolicy } from '../policy/maintenance-policy.js';
import { Clock } from '../utils/clock.js';
import { createProvider } from '../utils/create-provider.js';
import { findProviders } from '../utils/discovery.js';
import { BackgroundDeps } from './background-deps.js';
import { BackgroundPauser } from './background-pauser.js';

/** The providers that pause background work. */
export const backgroundProviders: Provider[] = [
  createProvider(BackgroundDeps, [
    MaintenancePolicy,
    HandlerRulesReader,
    InFlightTracker,
    Clock,
    DiscoveryService,
    STATUS_CHANGES,
  ]),
  createProvider(BackgroundPauser, [RESOLVED_OPTIONS, BackgroundDeps]),
];

/**
 * Runs its `onModuleInit()` before all other modules, that is before BullMQ creates workers and the scheduler creates
 * timers. `configure()` would be early enough too, but Nest calls it only in applications with HTTP.
 */
@Module({ imports: [DiscoveryModule] })
export class BackgroundBootstrapModule implements OnModuleInit {
  constructor(
    @Inject(ModuleRef) private readonly moduleRef: ModuleRef,
    @Inject(DiscoveryService) discovery: DiscoveryService,
  ) {
    // Nest calls hooks in the order of the distance from the root module, the farthest first. Global modules have the
    // largest finite distance. A module is a provider of its own class.
    const [self] = findProviders(discovery, BackgroundBootstrapModule);
    (self!.host as NestModuleInternals).distance = Infinity;
  }

  async onModuleInit(): Promise<void> {
    await this.moduleRef.get(BackgroundPauser, { strict: false }).attach();
  }
}
