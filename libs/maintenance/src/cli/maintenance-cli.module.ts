import { Module } from '@nestjs/common';
import { ModuleRef } from '@nestjs/core';
import { StateStorage } from '../storage/state-storage.js';
import { RESOLVED_OPTIONS, CLI_ONLY } from '../maintenance.constants.js';
import {
  MaintenanceInstancesSubCommand,
  MaintenanceOffSubCommand,
  MaintenanceOnSubCommand,
  MaintenanceParentCommand,
  MaintenanceStatusSubCommand,
} from './commands/maintenance.command.js';
import { TargetFinder } from './target-finder.js';

/**
 * Adds `maintenance on`, `off`, `status` and `instances` to an application's own nest-commander program. Where the
 * program also imports `MaintenanceModule`, they work on its storage.
 *
 * @example
 * ```ts
 * @Module({ imports: [MaintenanceModule.forRoot(), MaintenanceCliModule] })
 * class ProgramModule {}
 *
 * await CommandFactory.run(ProgramModule);
 * ```
 */
@Module({
  providers: [
    MaintenanceParentCommand,
    MaintenanceOnSubCommand,
    MaintenanceOffSubCommand,
    MaintenanceStatusSubCommand,
    MaintenanceInstancesSubCommand,
    // A program of commands is no instance of the application.
    { provide: CLI_ONLY, useValue: true },
    {
      provide: TargetFinder,
      inject: [ModuleRef],
      useFactory: (modules: ModuleRef) =>
        new TargetFinder(
          () => process.env,
          () => ({ storage: findProvider(modules, StateStorage), options: findProvider(modules, RESOLVED_OPTIONS) }),
        ),
    },
  ],
})
export class MaintenanceCliModule {}

function findProvider<T>(modules: ModuleRef, token: symbol): T | undefined {
  try {
    return modules.get<T>(token, { strict: false });
  } catch {
    return undefined; // the program does not import MaintenanceModule
  }
}
