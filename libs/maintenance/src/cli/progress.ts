import { print } from './output.js';
import { escapeControlCharacters } from '../utils/escape-control-characters.js';

/** The shortest time between two plain lines if something has changed, and if nothing has, in milliseconds. */
const MIN_INTERVAL_MS = 1_000;
const IDLE_INTERVAL_MS = 10_000;

/**
 * Shows progress: on a terminal as one line that is overwritten, otherwise as plain lines when something has changed.
 */
export class Progress {
  #lastKey = '';
  #lastAt = -Infinity;
  #hasLine = false;

  constructor(private readonly stream: NodeJS.WriteStream) {}

  /**
   * Shows a line.
   *
   * @param text - the line
   * @param key - changes when a plain line is due
   */
  show(text: string, key: string): void {
    const line = escapeControlCharacters(text);
    if (this.stream.isTTY) return this.#overwrite(line);
    const now = performance.now();
    if (now - this.#lastAt < (key === this.#lastKey ? IDLE_INTERVAL_MS : MIN_INTERVAL_MS)) return;
    this.#lastKey = key;
    this.#lastAt = now;
    void print(this.stream, `${line}\n`);
  }

  /** Clears the line on the terminal. */
  end(): void {
    if (this.#hasLine) void print(this.stream, '\r\x1b[2K');
    this.#hasLine = false;
  }

  #overwrite(line: string): void {
    this.#hasLine = true;
    // A line that wraps can't be overwritten.
    const width = (this.stream.columns || 80) - 1;
    void print(this.stream, `\r\x1b[2K${line.length > width ? `${line.slice(0, width - 3)}...` : line}`);
  }
}
