import { styleText } from 'node:util';
import { Argument, Command, CommanderError, Option } from 'commander';
import { escapeControlCharacters } from '../utils/escape-control-characters.js';
import { colorLine } from './colors.js';
import type { CommandDescription, OptionDescription, StorageOptions } from './command-description.js';
import { COMMANDS } from './commands.js';
import { execute, isUsageError } from './execute.js';
import { addLanguageOptions } from './language-options.js';
import type { TargetFinder } from './target-finder.js';

/** Invalid usage: the text to print on stderr, and the code by which commander tells errors apart. */
export interface UsageFailure {
  text: string;
  code: string;
}

const EXIT_CODES =
  'Exit codes: 0 success (status: off), 1 failure, 2 invalid usage, 3 status: on,\n4 --wait timed out. `run` exits with the code of its command.';

/**
 * Creates the program of all commands.
 *
 * @param name - its name, as operators type it: `nestjs-maintenance`, or `shop maintenance`
 */
export function createProgram(name: string, finder: TargetFinder): Command {
  const program = new Command(name)
    .description('Turns maintenance mode of a NestJS application on and off, and shows its status.')
    .exitOverride()
    .enablePositionalOptions()
    // The front prints errors: they may have to be escaped, and an application's program prints its own way.
    .configureOutput({ outputError: () => undefined })
    .configureHelp({
      styleTitle: (text) => styleText('bold', text, { validateStream: false }),
      styleOptionTerm: (text) => styleText('cyan', text, { validateStream: false }),
      styleSubcommandTerm: (text) => styleText('cyan', text, { validateStream: false }),
    })
    .addHelpText('after', `\n${EXIT_CODES}`);
  for (const description of COMMANDS) addCommand(program, description, finder);
  return program;
}

function addCommand(program: Command, description: CommandDescription, finder: TargetFinder): void {
  const command = program.command(description.name).description(description.description).allowExcessArguments(false);
  for (const option of description.options) command.addOption(createOption(option));
  const examples = description.examples.map((example) => `  ${program.name()} ${example}`);
  command.addHelpText('after', ['', 'Examples:', ...examples].join('\n'));
  if (description.note) command.addHelpText('after', `\n${description.note}`);
  if (description.argument) {
    const { name, choices } = description.argument;
    command.addArgument(new Argument(`<${name}>`).choices(choices));
    command.action((value: string, options: StorageOptions) =>
      execute(description, options, finder, program.name(), [value]),
    );
    return;
  }
  if (description.operands === undefined) {
    command.action((options: StorageOptions) => execute(description, options, finder, program.name()));
    return;
  }
  // Options after the first operand belong to the program that the command starts, with and without `--`.
  command.usage(`[options] ${description.operands}`).argument('[command...]').passThroughOptions();
  command.configureHelp({ visibleArguments: () => [] });
  command.action((operands: string[], options: StorageOptions) =>
    execute(description, options, finder, program.name(), operands),
  );
}

function createOption({ flags, description, parse, choices, isHidden = false }: OptionDescription): Option {
  const option = new Option(flags, description).hideHelp(isHidden);
  if (choices) option.choices(choices);
  return parse ? option.argParser(parse) : option;
}

/**
 * Runs a program of {@link createProgram}.
 *
 * @param args - the arguments without those of Node
 * @returns the failure if the usage is invalid; the front prints it and sets its exit code
 */
export async function runProgram(program: Command, args: readonly string[]): Promise<UsageFailure | undefined> {
  if (args.length === 0) return { text: getHelp(program), code: 'commander.help' };
  addLanguageOptions(program, args);
  try {
    await program.parseAsync(args, { from: 'user' });
    return undefined;
  } catch (error) {
    if (isUsageError(error)) return { text: formatUsageError(`error: ${error.message}`), code: 'commander.error' };
    if (!(error instanceof CommanderError)) throw error;
    return error.exitCode === 0 ? undefined : { text: describeError(error), code: error.code };
  }
}

/** Returns the help with the texts that commander only prints. */
function getHelp(program: Command): string {
  let help = '';
  const copy = { writeErr: (text: string) => void (help += text) };
  program.configureOutput(copy).outputHelp({ error: true });
  return help.trimEnd();
}

function describeError({ code, message }: CommanderError): string {
  if (code !== 'commander.unknownCommand' || message.includes('\n(Did you mean')) return formatUsageError(message);
  return formatUsageError(`${message}. The commands are ${COMMANDS.map(({ name }) => name).join(', ')}.`);
}

/** Escapes control characters, because commander repeats what the operator typed or pasted, and keeps one line. */
function formatUsageError(message: string): string {
  const [, sentence, hint] = /^(.*?)(?:\n(\(Did you mean .*\)))?$/s.exec(message)!;
  return colorLine(escapeControlCharacters(hint === undefined ? sentence! : `${sentence} ${hint}`), process.stderr);
}
