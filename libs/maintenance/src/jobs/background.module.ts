import { Inject, Module, type OnModuleInit, type Provider } from '@nestjs/common';
import { ModuleRef, ModulesContainer } from '@nestjs/core';
import type { Subject } from 'rxjs';
import type { NestModuleInternals } from '../nest-internals.js';
import { BackgroundPauser } from './background-pauser.js';
import type { ResolvedOptions } from '../options/resolved-options.js';
import { HandlerRulesReader } from '../policy/handler-rules.js';
import { MaintenancePolicy } from '../policy/maintenance-policy.js';
import { Clock } from '../utils/clock.js';
import { InFlightTracker } from '../drain/in-flight-tracker.js';
import type { MaintenanceStatus } from '../core/maintenance-status.js';
import { STATUS_CHANGES, RESOLVED_OPTIONS } from '../maintenance.constants.js';

/** The work that rests during maintenance, if the application wants that. */
export const backgroundProvider: Provider = {
  provide: BackgroundPauser,
  inject: [
    RESOLVED_OPTIONS,
    MaintenancePolicy,
    HandlerRulesReader,
    InFlightTracker,
    ModulesContainer,
    STATUS_CHANGES,
    Clock,
  ],
  useFactory: (
    options: ResolvedOptions,
    policy: MaintenancePolicy,
    reader: HandlerRulesReader,
    inFlight: InFlightTracker,
    modules: ModulesContainer,
    changes: Subject<MaintenanceStatus>,
    clock: Clock,
  ) => new BackgroundPauser(options.background.pause ? { policy, reader, inFlight, modules, changes, clock } : null),
};

/**
 * A module whose hook comes before those of all others, which is when queues make workers and schedules make timers. `configure()` would
 * be early enough too, but a program without HTTP has none.
 */
@Module({})
export class BackgroundBootstrapModule implements OnModuleInit {
  constructor(
    @Inject(ModuleRef) private readonly moduleRef: ModuleRef,
    @Inject(ModulesContainer) modules: ModulesContainer,
  ) {
    for (const module of modules.values()) {
      // Nest calls hooks by the distance from the root module, the farthest first; that of global modules is the largest number.
      if (module.metatype === BackgroundBootstrapModule) (module as NestModuleInternals).distance = Infinity;
    }
  }

  async onModuleInit(): Promise<void> {
    await this.moduleRef.get(BackgroundPauser, { strict: false }).attach();
  }
}
