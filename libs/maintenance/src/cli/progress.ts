import { print } from './output.js';
import { escapeControlCharacters } from '../utils/escape-control-characters.js';

/** Where there is no terminal: the shortest time between two lines that bring news, and between two that bring none, in milliseconds. */
const MIN_INTERVAL_MS = 1_000;
const IDLE_INTERVAL_MS = 10_000;

/** Shows how far something has come: on one line of a terminal, which is written over, else on plain lines when there is news. */
export class Progress {
  #lastKey = '';
  #lastAt = -Infinity;
  #hasLine = false;

  constructor(private readonly stream: NodeJS.WriteStream) {}

  /**
   * @param text - what to show
   * @param news - what of it makes a new plain line when it changes
   */
  show(text: string, news: string): void {
    const line = escapeControlCharacters(text);
    if (this.stream.isTTY) return this.#overwrite(line);
    const now = performance.now();
    if (now - this.#lastAt < (news === this.#lastKey ? IDLE_INTERVAL_MS : MIN_INTERVAL_MS)) return;
    this.#lastKey = news;
    this.#lastAt = now;
    void print(this.stream, `${line}\n`);
  }

  /** Takes the line off the terminal. */
  end(): void {
    if (this.#hasLine) void print(this.stream, '\r\x1b[2K');
    this.#hasLine = false;
  }

  #overwrite(line: string): void {
    this.#hasLine = true;
    // A line that breaks can't be written over.
    const width = (this.stream.columns || 80) - 1;
    void print(this.stream, `\r\x1b[2K${line.length > width ? `${line.slice(0, width - 3)}...` : line}`);
  }
}
