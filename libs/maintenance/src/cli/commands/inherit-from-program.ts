import type { CommandRunner } from 'nest-commander';
import { escapeErrorOutput } from './escape-error-output.js';

type Command = CommandRunner['command'];

/**
 * Copies the error handling of the program to a command. nest-commander sets it on the program only, after all
 * commands were built.
 */
export function inheritFromProgram(command: Command): Command {
  let program = command;
  while (program.parent) program = program.parent;
  return escapeErrorOutput(command.copyInheritedSettings(program));
}
