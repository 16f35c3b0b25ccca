import { Module } from '@nestjs/common';
import { Command, CommandFactory, CommandRunnerService, InjectCommander, type CommandRunner } from 'nest-commander';
import { escapeErrorOutput } from './commands/escape-error-output.js';
import { INSTANCES_COMMAND, InstancesCommand } from './commands/instances.command.js';
import { OFF_COMMAND, OffCommand } from './commands/off.command.js';
import { ON_COMMAND, OnCommand } from './commands/on.command.js';
import { STATUS_COMMAND, StatusCommand } from './commands/status.command.js';
import { loadEnvFile } from './load-env-file.js';
import { printLines, ignoreClosedPipe } from './output.js';
import { TargetFinder } from './target-finder.js';

@Command(ON_COMMAND)
class StandaloneOnCommand extends OnCommand {}

@Command(OFF_COMMAND)
class StandaloneOffCommand extends OffCommand {}

@Command(STATUS_COMMAND)
class StandaloneStatusCommand extends StatusCommand {}

@Command(INSTANCES_COMMAND)
class StandaloneInstancesCommand extends InstancesCommand {}

/** Returns the environment as the application in this folder would see it. */
function loadEnvironment(): NodeJS.ProcessEnv {
  loadEnvFile(process.cwd(), process.env);
  return process.env;
}

@Module({
  providers: [
    StandaloneOnCommand,
    StandaloneOffCommand,
    StandaloneStatusCommand,
    StandaloneInstancesCommand,
    { provide: TargetFinder, useFactory: () => new TargetFinder(loadEnvironment) },
  ],
})
class StandaloneModule {
  constructor(@InjectCommander() program: CommandRunner['command']) {
    escapeErrorOutput(program)
      .name('nestjs-maintenance')
      .description('Turns maintenance mode of a NestJS application on and off, and shows its status.')
      .addHelpText(
        'after',
        '\nExit codes: 0 success (status: off), 1 failure, 2 invalid usage, 3 status: on, 4 --wait timed out.',
      );
  }
}

/** The exit code for invalid usage. */
const USAGE_EXIT_CODE = 2;

/**
 * Runs the program, and sets `process.exitCode`.
 *
 * @param argv - the arguments, as in `process.argv`
 * @param version - the version that `--version` prints
 */
export async function run(argv: string[], version: string): Promise<void> {
  for (const stream of [process.stdout, process.stderr]) ignoreClosedPipe(stream);
  const program = await CommandFactory.createWithoutRunning(StandaloneModule, {
    logger: false,
    version,
    errorHandler: (error) => {
      throw error;
    },
    serviceErrorHandler: handleServiceError,
  });
  await program.get(CommandRunnerService).run(argv);
  await program.close();
  // A connection that a storage leaves open must not keep the operator waiting.
  setTimeout(() => process.exit(), 1_000).unref();
}

/** Sets the exit code. Commander throws where it would end the process, after it has printed the reason. */
async function handleServiceError(error: Error & { code?: string; exitCode?: number }): Promise<void> {
  if (error.code?.startsWith('commander.')) {
    process.exitCode = error.exitCode === 0 ? 0 : USAGE_EXIT_CODE;
    return;
  }
  process.exitCode = 1;
  await printLines(process.stderr, [`error: ${error.message}`]);
}
