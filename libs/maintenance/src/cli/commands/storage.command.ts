import { Inject, type OnApplicationBootstrap } from '@nestjs/common';
import { CommandRunner, Option } from 'nest-commander';
import { InvalidWindowError } from '../../errors/invalid-window.error.js';
import { print, printLines } from '../output.js';
import { formatStorage } from '../sections.js';
import { TargetFinder, type Target } from '../target-finder.js';
import { UsageError } from '../../errors/usage.error.js';
import { escapeControlCharacters, toVisibleJson } from '../../utils/escape-control-characters.js';
import { inheritFromProgram } from './inherit-from-program.js';

/** The options that every command takes. */
export interface StorageOptions {
  storage?: string;
  json?: boolean;
}

/** How a command came out. */
export interface Outcome {
  lines: string[];
  json: unknown;
  exitCode?: number;
  /** What failed, although there is something to print. */
  error?: string;
}

/** A command that works on the storage: finds it, runs, prints, and says what failed without a stack trace. */
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

  @Option({ flags: '--storage <url>', description: 'the storage, such as file:/var/lib/app/maintenance.json' })
  parseStorage(text: string, previous?: string): string {
    // Commander would repeat the value, and there may be a password in it.
    if (previous !== undefined) this.command.error('error: --storage was given before; give it once.');
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
    // Last, because the program may end the process here.
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
