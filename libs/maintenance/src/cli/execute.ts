import { InvalidWindowError } from '../errors/invalid-window.error.js';
import { UsageError } from '../errors/usage.error.js';
import { toVisibleJson } from '../utils/escape-control-characters.js';
import type { CommandDescription, Outcome, StorageOptions } from './command-description.js';
import { print, printLines } from './output.js';
import { formatStorage } from './sections.js';
import type { Target, TargetFinder } from './target-finder.js';

/**
 * Runs a command: finds its storage, prints the output or the error without a stack trace, and sets `process.exitCode`.
 *
 * @param program - the name of the program, as operators type it
 * @param operands - the arguments after the options
 * @throws {@link UsageError}, {@link InvalidWindowError} for invalid usage, after the storage was closed
 */
export async function execute(
  command: CommandDescription,
  options: StorageOptions,
  finder: TargetFinder,
  program: string,
  operands: readonly string[] = [],
): Promise<void> {
  const environment = { ...process.env };
  let target: Target | undefined;
  try {
    const context = { finder, program, environment };
    if (command.print) {
      return await printOutcome(await command.print(context, options, operands[0]), undefined, options);
    }
    target = await finder.find(options.storage);
    await printOutcome(await command.perform!({ ...context, target }, options, operands), target, options);
  } catch (error) {
    if (isUsageError(error)) throw error;
    await fail(error instanceof Error ? error.message : String(error), target);
  } finally {
    await target?.close();
  }
}

/** Whether the operator has to correct the arguments. */
export function isUsageError(error: unknown): error is Error {
  return error instanceof UsageError || error instanceof InvalidWindowError;
}

async function printOutcome(
  { lines, document, json, exitCode, error }: Outcome,
  target: Target | undefined,
  options: StorageOptions,
): Promise<void> {
  if (exitCode !== undefined) process.exitCode = exitCode;
  if (options.json) await print(process.stdout, `${toVisibleJson(json)}\n`);
  else if (document !== undefined) await print(process.stdout, document);
  else if (lines.length > 0) await printLines(process.stdout, lines);
  if (error !== undefined) await fail(error, target, exitCode);
}

async function fail(message: string, target: Target | undefined, exitCode = 1): Promise<void> {
  process.exitCode = exitCode;
  await printLines(process.stderr, [
    `error: ${message}`,
    ...(target ? [`storage: ${formatStorage(target.storage)}`] : []),
  ]);
}
