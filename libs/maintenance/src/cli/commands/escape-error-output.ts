import type { CommandRunner } from 'nest-commander';
import { patchMethod } from '../../utils/patch-method.js';
import { escapeControlCharacters } from '../../utils/escape-control-characters.js';

type Command = CommandRunner['command'];

/** Commander repeats what was typed, or pasted, in its errors. No control character of it reaches the terminal, as in all that we print. */
export function escapeErrorOutput(command: Command): Command {
  patchMethod(command, 'error', (error) => (message, options) => {
    const [, sentence, hint] = /^(.*?)(?:\n(\(Did you mean .*\)))?$/s.exec(message)!;
    return error(escapeControlCharacters(hint === undefined ? sentence! : `${sentence} ${hint}`), options);
  });
  return command;
}
