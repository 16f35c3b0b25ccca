import type { CommandRunner } from 'nest-commander';
import { patchMethod } from '../../utils/patch-method.js';
import { escapeControlCharacters } from '../../utils/escape-control-characters.js';

type Command = CommandRunner['command'];

/**
 * Escapes control characters in the errors of a command: commander repeats the text that the operator typed or
 * pasted.
 */
export function escapeErrorOutput(command: Command): Command {
  patchMethod(command, 'error', (error) => (message, options) => {
    const [, sentence, hint] = /^(.*?)(?:\n(\(Did you mean .*\)))?$/s.exec(message)!;
    return error(escapeControlCharacters(hint === undefined ? sentence! : `${sentence} ${hint}`), options);
  });
  return command;
}
