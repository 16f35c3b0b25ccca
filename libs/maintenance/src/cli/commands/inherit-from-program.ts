import type { CommandRunner } from 'nest-commander';
import { escapeErrorOutput } from './escape-error-output.js';

type Command = CommandRunner['command'];

/**
 * Gives a command what the program decides: how errors are written, and what happens after one. nest-commander sets that on the
 * program only, once all commands are built.
 */
export function inheritFromProgram(command: Command): Command {
  let program = command;
  while (program.parent) program = program.parent;
  return escapeErrorOutput(command.copyInheritedSettings(program));
}
