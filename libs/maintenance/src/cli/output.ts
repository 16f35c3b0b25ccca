import { escapeControlCharacters } from '../utils/escape-control-characters.js';
import { colorLine } from './colors.js';

/** Prints lines with escaped control characters, so that stored texts can't control the terminal, and with colors. */
export function printLines(stream: NodeJS.WriteStream, lines: readonly string[]): Promise<void> {
  return print(stream, lines.map((line) => `${colorLine(escapeControlCharacters(line), stream)}\n`).join(''));
}

/** Writes text and waits until it is written, or the reader has closed the pipe. */
export function print(stream: NodeJS.WriteStream, text: string): Promise<void> {
  ignoreClosedPipe(stream);
  return new Promise((resolve) => stream.write(text, () => resolve()));
}

/** Ignores that the reader closes the pipe early, as in `status | head -1`. */
export function ignoreClosedPipe(stream: NodeJS.WriteStream): void {
  const listener = stream === process.stderr ? onErrorOutputError : onOutputError;
  if (!stream.listeners('error').includes(listener)) stream.on('error', listener);
}

function onOutputError(error: NodeJS.ErrnoException): void {
  if (error.code === 'EPIPE') return;
  process.exitCode = 1;
  process.stderr.write(`error: Could not write the output: ${escapeControlCharacters(error.message)}\n`);
}

// stderr itself has failed: there is nothing left to report to.
function onErrorOutputError(): void {}
