import { Module } from '@nestjs/common';
import { ModuleRef } from '@nestjs/core';
import { StateStorage } from '../storage/state-storage.js';
import { OPTIONS } from '../tokens.js';
import {
  MaintenanceOffSubCommand,
  MaintenanceOnSubCommand,
  MaintenanceParentCommand,
  MaintenanceStatusSubCommand,
} from './commands/maintenance.command.js';
import { TargetFinder } from './target.js';

/**
 * Adds `maintenance on`, `maintenance off` and `maintenance status` to an application's own nest-commander program. Where the
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
    {
      provide: TargetFinder,
      inject: [ModuleRef],
      useFactory: (modules: ModuleRef) =>
        new TargetFinder(
          () => process.env,
          () => ({ storage: found(modules, StateStorage), options: found(modules, OPTIONS) }),
        ),
    },
  ],
})
export class MaintenanceCliModule {}

function found<T>(modules: ModuleRef, token: symbol): T | undefined {
  try {
    return modules.get<T>(token, { strict: false });
  } catch {
    return undefined; // the program does not import MaintenanceModule
  }
}
