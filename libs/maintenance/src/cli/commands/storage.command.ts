import { Inject, type OnApplicationBootstrap } from '@nestjs/common';
import { CommandRunner, Option } from 'nest-commander';
import { InvalidWindowError } from '../../errors/invalid-window.error.js';
import { print, printLines } from '../output.js';
import { formatStorage } from '../sections.js';
import { TargetFinder, type Target } from '../target-finder.js';
import { UsageError } from '../../errors/usage.error.js';
import { escapeControlCharacters, toVisibleJson } from '../../utils/escape-control-characters.js';
import { inheritFromProgram } from './inherit-from-program.js';

/** The options of every command. */
export interface StorageOptions {
  storage?: string;
  json?: boolean;
}

/** The result of a command. */
export interface Outcome {
  /** The output without --json. */
  lines: string[];
  /** The output with --json. */
  json: unknown;
  exitCode?: number;
  /** The error if the command failed although it has output. */
  error?: string;
}

/** A command that uses the storage: finds it, runs, prints the output, and prints errors without a stack trace. */
export abstract class StorageCommand<Options extends StorageOptions>
  extends CommandRunner
  implements OnApplicationBootstrap
{
  constructor(@Inject(TargetFinder) private readonly finder: TargetFinder) {
    super();
  }

  protected abstract perform(target: Target, options: Options): Promise<Outcome>;

  onApplicationBootstrap(): void {
    inheritFromProgram(this.command).allowExcessArguments(false);
  }

  @Option({ flags: '--storage <url>', description: 'use this storage, such as file:/var/lib/app/maintenance.json' })
  parseStorage(text: string, previous?: string): string {
    // Commander would print the value, which may contain a password.
    if (previous !== undefined) this.command.error('error: --storage is already set; give it once.');
    return text;
  }

  @Option({ flags: '--json', description: 'print one JSON document' })
  parseJson(): boolean {
    return true;
  }

  override async run(_arguments: string[], options: Options): Promise<void> {
    let target: Target | undefined;
    let usageError: Error | undefined;
    try {
      target = await this.finder.find(options.storage);
      await this.#print(await this.perform(target, options), target, options);
    } catch (error) {
      if (error instanceof UsageError || error instanceof InvalidWindowError) usageError = error;
      else await this.#fail(error instanceof Error ? error.message : String(error), target);
    } finally {
      await target?.close();
    }
    // Last, because an application's program may end the process here.
    if (usageError) this.command.error(`error: ${escapeControlCharacters(usageError.message)}`);
  }

  async #print({ lines, json, exitCode, error }: Outcome, target: Target, options: Options): Promise<void> {
    if (exitCode !== undefined) process.exitCode = exitCode;
    if (options.json) await print(process.stdout, `${toVisibleJson(json)}\n`);
    else if (lines.length > 0) await printLines(process.stdout, lines);
    if (error !== undefined) await this.#fail(error, target, exitCode);
  }

  async #fail(message: string, target: Target | undefined, exitCode = 1): Promise<void> {
    process.exitCode = exitCode;
    await printLines(process.stderr, [
      `error: ${message}`,
      ...(target ? [`storage: ${formatStorage(target.storage)}`] : []),
    ]);
  }
}
