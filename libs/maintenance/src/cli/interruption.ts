import { constants } from 'node:os';
import { redactUrlCredentials } from '../utils/redact-credentials.js';
import { printLines } from './output.js';

const SIGNALS = ['SIGINT', 'SIGTERM'] as const;

/**
 * Ends the process on a signal, such as that of Ctrl-C, with an error and the exit code of shells: 130 for Ctrl-C.
 *
 * @param describe - returns the error
 * @returns a function that restores the default
 */
export function exitOnSignal(describe: () => string): () => void {
  const listener = (signal: (typeof SIGNALS)[number]): void => {
    void printLines(process.stderr, [`error: ${describe()}`]).then(() => process.exit(128 + constants.signals[signal]));
  };
  for (const signal of SIGNALS) process.once(signal, listener);
  return () => {
    for (const signal of SIGNALS) process.off(signal, listener);
  };
}

/** Says that maintenance outlives an interrupted `on --wait`, and how to end it. */
export function describeInterruption(program: string, options: { scope?: string; storage?: string }): string {
  return `Interrupted. Maintenance stays on. To end it: ${formatOffCommand(program, options)}`;
}

/** Formats the command that ends windows, as operators type it: `nestjs-maintenance off --id 3f2a91c0`. */
export function formatOffCommand(
  program: string,
  { scope, id, storage }: { scope?: string; id?: string; storage?: string },
): string {
  const off = [
    program,
    'off',
    ...(scope === undefined ? [] : ['--scope', quote(scope)]),
    ...(id === undefined ? [] : ['--id', quote(id)]),
    ...(storage === undefined ? [] : ['--storage', quote(formatStorageArgument(storage))]),
  ];
  return off.join(' ');
}

// A path may contain `@` too: changed, it would name another file, of which `off` says that nothing is on.
function formatStorageArgument(storage: string): string {
  const isPath = /^(?:file|module):|^\.{0,2}\//i.test(storage);
  return isPath || !storage.includes('@') ? storage : redactUrlCredentials(storage);
}

/** Quotes an argument for a shell, if it has to be. */
export function quote(text: string): string {
  return /^[\w@%+=:,./-]+$/.test(text) ? text : `'${text.replaceAll("'", "'\\''")}'`;
}
