import type { Command } from 'commander';
import { addCompletion } from './completion.js';
import { createProgram, runProgram } from './create-program.js';
import { loadEnvFile } from './load-env-file.js';
import { ignoreClosedPipe, print } from './output.js';
import { TargetFinder } from './target-finder.js';

/** The exit code for invalid usage. */
const USAGE_EXIT_CODE = 2;

/** Returns the environment as the application in this folder would see it. */
function loadEnvironment(): NodeJS.ProcessEnv {
  loadEnvFile(process.cwd(), process.env);
  return process.env;
}

/**
 * Runs the program `nestjs-maintenance`, and sets `process.exitCode`.
 *
 * @param argv - the arguments, as in `process.argv`
 * @param version - the version that `--version` prints
 */
export async function run(argv: string[], version: string): Promise<void> {
  for (const stream of [process.stdout, process.stderr]) ignoreClosedPipe(stream);
  const createCommands = (): Command =>
    createProgram('nestjs-maintenance', new TargetFinder(loadEnvironment)).version(version);
  const program = createCommands();
  addCompletion(program, createCommands);
  const failure = await runProgram(program, argv.slice(2));
  if (failure) {
    process.exitCode = USAGE_EXIT_CODE;
    await print(process.stderr, `${failure.text}\n`);
  }
  // A connection that a storage leaves open must not keep the operator waiting.
  setTimeout(() => process.exit(), 1_000).unref();
}
