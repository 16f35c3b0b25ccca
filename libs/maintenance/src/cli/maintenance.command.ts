import { Inject, type OnApplicationBootstrap } from '@nestjs/common';
import { Command, CommandRunner } from 'nest-commander';
import { createProgram, runProgram } from './create-program.js';
import { TargetFinder } from './target-finder.js';

type HostCommand = CommandRunner['command'];

/** The exit code for invalid usage, unless the program of the application has its own. */
const USAGE_EXIT_CODE = 1;

/**
 * The command `maintenance` of an application's program. It passes its arguments to the same program that the bin runs,
 * under the name of the application's program.
 */
@Command({
  name: 'maintenance',
  description: 'turn maintenance on and off, and show its status',
  arguments: '[arguments...]',
  allowUnknownOptions: true,
})
export class MaintenanceCommand extends CommandRunner implements OnApplicationBootstrap {
  constructor(@Inject(TargetFinder) private readonly finder: TargetFinder) {
    super();
  }

  onApplicationBootstrap(): void {
    // nest-commander sets the error handling on its program only, after all commands were built.
    this.command.copyInheritedSettings(getRoot(this.command)).helpOption(false);
    this.command.configureHelp({ formatHelp: () => this.#createProgram().helpInformation() });
  }

  override async run(args: string[]): Promise<void> {
    const failure = await runProgram(this.#createProgram(), args);
    // Last, because the application's program may end the process here.
    if (failure) this.command.error(failure.text, { exitCode: USAGE_EXIT_CODE, code: failure.code });
  }

  #createProgram(): ReturnType<typeof createProgram> {
    return createProgram(`${getRoot(this.command).name()} ${this.command.name()}`, this.finder);
  }
}

function getRoot(command: HostCommand): HostCommand {
  return command.parent ? getRoot(command.parent) : command;
}
