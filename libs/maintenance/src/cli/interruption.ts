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
  const { scope, storage } = options;
  const off = [
    program,
    'off',
    ...(scope === undefined ? [] : ['--scope', quote(scope)]),
    ...(storage === undefined ? [] : ['--storage', quote(redactUrlCredentials(storage))]),
  ];
  return `Interrupted. Maintenance stays on. To end it: ${off.join(' ')}`;
}

function quote(text: string): string {
  return /^[\w@%+=:,./-]+$/.test(text) ? text : `'${text.replaceAll("'", "'\\''")}'`;
}
