import { Module } from '@nestjs/common';
import { ModuleRef } from '@nestjs/core';
import { StateStorage } from '../storage/state-storage.js';
import { RESOLVED_OPTIONS, CLI_ONLY } from '../maintenance.constants.js';
import { MaintenanceCommand } from './maintenance.command.js';
import { TargetFinder } from './target-finder.js';

/**
 * Adds the commands of `nestjs-maintenance`, such as `maintenance on` and `maintenance off`, to an application's
 * nest-commander program. If the program also imports `MaintenanceModule`, the commands use its storage.
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
    MaintenanceCommand,
    // The program serves no calls, so it must not report as an instance.
    { provide: CLI_ONLY, useValue: true },
    {
      provide: TargetFinder,
      inject: [ModuleRef],
      useFactory: (moduleRef: ModuleRef) =>
        new TargetFinder(
          () => process.env,
          () => ({
            storage: findProvider(moduleRef, StateStorage),
            options: findProvider(moduleRef, RESOLVED_OPTIONS),
          }),
        ),
    },
  ],
})
export class MaintenanceCliModule {}

function findProvider<T>(moduleRef: ModuleRef, token: symbol): T | undefined {
  try {
    return moduleRef.get<T>(token, { strict: false });
  } catch {
    return undefined; // the program does not import MaintenanceModule
  }
}
