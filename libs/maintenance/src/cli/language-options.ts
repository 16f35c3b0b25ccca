import { InvalidArgumentError, Option, type Command } from 'commander';
import { COMMANDS } from './commands.js';
import { parseLanguageTag } from './option-parsers.js';

/**
 * Adds the options with a language that the arguments contain, such as `--message-de`. There are too many languages to
 * declare them all.
 *
 * @param program - the program of all commands
 * @param args - the arguments of this call
 */
export function addLanguageOptions(program: Command, args: readonly string[]): void {
  const end = args.indexOf('--');
  const own = end === -1 ? args : args.slice(0, end);
  for (const { name: commandName, languages } of COMMANDS) {
    const command = languages && program.commands.find((one) => one.name() === commandName);
    if (!command) continue;
    const pattern = new RegExp(`^--${languages.option}-([a-z][\\w-]*)(?:=|$)`, 'i');
    const suffixes = own.flatMap((argument) => pattern.exec(argument)?.[1] ?? []);
    for (const suffix of new Set(suffixes)) command.addOption(createLanguageOption(languages, suffix));
  }
}

function createLanguageOption({ option: prefix, name }: { option: string; name: string }, suffix: string): Option {
  const option = new Option(`--${prefix}-${suffix} <text>`).hideHelp();
  // All of them set one member.
  option.attributeName = () => name;
  return option.argParser((text: string, previous: Readonly<Record<string, string>> = {}) => {
    const tag = parseLanguageTag(suffix);
    if (!Object.hasOwn(previous, tag)) return { ...previous, [tag]: text };
    throw new InvalidArgumentError(`It is already set to ${JSON.stringify(previous[tag])}; give it once.`);
  });
}
