import type { Target, TargetFinder } from './target-finder.js';

/** The options of every command. */
export interface StorageOptions {
  storage?: string;
  json?: boolean;
}

/** One option of a command. */
export interface OptionDescription {
  /** Its name and its value, as commander writes them: `--scope <name>`. */
  flags: string;
  description: string;
  /** Parses the value; missing if the option has none. `previous` is the result for the same option before. */
  parse?: (text: string, previous: unknown) => unknown;
  /** The values that a shell completes. */
  choices?: readonly string[];
  /** Whether the help leaves it out. */
  isHidden?: boolean;
}

/** The storage and the names that a command needs besides its options. */
export interface CommandContext extends PrintContext {
  target: Target;
}

/** The same for a command that needs no storage. */
export interface PrintContext {
  finder: TargetFinder;
  /** The name of the program, as operators type it, such as `nestjs-maintenance`. */
  program: string;
  /** The environment of this process without the variables of `.env`, for the programs that a command starts. */
  environment: NodeJS.ProcessEnv;
}

/** The result of a command. */
export interface Outcome {
  /** The output without --json. */
  lines: string[];
  /** The output without --json where it is a document, which is printed as it is. */
  document?: string;
  /** The output with --json. */
  json: unknown;
  exitCode?: number;
  /** The error if the command failed although it has output. */
  error?: string;
}

/** One command: all that the bin and the program of an application know of it. */
export interface CommandDescription {
  name: string;
  description: string;
  options: readonly OptionDescription[];
  /** The arguments after the options, as the help shows them; missing if there are none. */
  operands?: string;
  /** One argument with these values; missing if there is none. */
  argument?: { name: string; choices: readonly string[] };
  /** An option that may be given per language, as `--message-de`, and the name under which the texts are passed. */
  languages?: { option: string; name: string };
  /** Examples without the name of the program: `on --for 30m`. */
  examples: readonly string[];
  /** A paragraph for the end of the help. */
  note?: string;
  perform?(context: CommandContext, options: StorageOptions, operands: readonly string[]): Promise<Outcome>;
  /** Runs a command that needs no storage, in place of `perform()`. */
  print?(context: PrintContext, options: StorageOptions, argument?: string): Promise<Outcome>;
}
