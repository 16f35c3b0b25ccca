import { escapeControlCharacters } from '../utils/escape-control-characters.js';

/** Prints lines for a person; no control character of what was stored reaches the terminal. */
export function printLines(stream: NodeJS.WriteStream, lines: readonly string[]): Promise<void> {
  return print(stream, lines.map((line) => `${escapeControlCharacters(line)}\n`).join(''));
}

/** Writes text and waits until it is written, or nobody reads any more. */
export function print(stream: NodeJS.WriteStream, text: string): Promise<void> {
  ignoreClosedPipe(stream);
  return new Promise((resolve) => stream.write(text, () => resolve()));
}

/** Lets a reader go away early, as in `status | head -1`: what was done is done, whoever reads of it. */
export function ignoreClosedPipe(stream: NodeJS.WriteStream): void {
  const failed = stream === process.stderr ? onErrorOutputError : onOutputError;
  if (!stream.listeners('error').includes(failed)) stream.on('error', failed);
}

function onOutputError(error: NodeJS.ErrnoException): void {
  if (error.code === 'EPIPE') return;
  process.exitCode = 1;
  process.stderr.write(`error: could not write the output: ${escapeControlCharacters(error.message)}\n`);
}

// There is no place left to say it.
function onErrorOutputError(): void {}
