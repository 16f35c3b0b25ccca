import type { OnApplicationBootstrap } from '@nestjs/common';
import { Command, CommandRunner, SubCommand } from 'nest-commander';
import { inheritFromProgram } from './inherit-from-program.js';
import { INSTANCES_COMMAND, InstancesCommand } from './instances.command.js';
import { OFF_COMMAND, OffCommand } from './off.command.js';
import { ON_COMMAND, OnCommand } from './on.command.js';
import { STATUS_COMMAND, StatusCommand } from './status.command.js';

// nest-commander finds options by the name of the class. The long names keep them apart from the application's
// commands.

@SubCommand(ON_COMMAND)
export class MaintenanceOnSubCommand extends OnCommand {}

@SubCommand(OFF_COMMAND)
export class MaintenanceOffSubCommand extends OffCommand {}

@SubCommand(STATUS_COMMAND)
export class MaintenanceStatusSubCommand extends StatusCommand {}

@SubCommand(INSTANCES_COMMAND)
export class MaintenanceInstancesSubCommand extends InstancesCommand {}

/** The command `maintenance`, the parent of the others in an application's program. */
@Command({
  name: 'maintenance',
  description: 'turn maintenance on and off, and show its status',
  subCommands: [
    MaintenanceOnSubCommand,
    MaintenanceOffSubCommand,
    MaintenanceStatusSubCommand,
    MaintenanceInstancesSubCommand,
  ],
})
export class MaintenanceParentCommand extends CommandRunner implements OnApplicationBootstrap {
  onApplicationBootstrap(): void {
    inheritFromProgram(this.command).addHelpCommand();
  }

  /** Runs only without a subcommand, or with an unknown one. */
  override run([unknown]: string[]): Promise<void> {
    if (unknown === undefined) return this.command.help({ error: true });
    const known = this.command.commands.map((command) => command.name()).join(', ');
    return this.command.error(`error: unknown command '${unknown}'. The commands are ${known}.`);
  }
}
