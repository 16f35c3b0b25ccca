import { MaintenanceLogger } from './maintenance-logger.js';
import type { Clock } from './clock.js';
import { toIso } from './dates.js';

/** How long failures of a kind are only counted after one was logged. */
const LOG_INTERVAL_MS = 60_000;
/** Limits messages whose length clients determine, in characters. */
const MAX_MESSAGE_LENGTH = 1_000;

/**
 * Logs failures that any request can cause: at most one line per minute and kind. The next line of a kind says how many
 * were omitted before it.
 */
export class FailureLog {
  readonly #logger = new MaintenanceLogger();
  readonly #kinds = new Map<string, { loggedAt: number; omitted: number }>();

  constructor(private readonly clock: Clock) {}

  /**
   * Logs an error.
   *
   * @param kind - one of a fixed set: a text from outside would defeat the limit
   * @param getMessage - called only where a line is written
   */
  error(kind: string, getMessage: () => string): void {
    this.#write('error', kind, getMessage);
  }

  /** Logs a warning, with the same limit. */
  warn(kind: string, getMessage: () => string): void {
    this.#write('warn', kind, getMessage);
  }

  #write(level: 'error' | 'warn', kind: string, getMessage: () => string): void {
    const now = this.clock.now();
    const last = this.#kinds.get(kind);
    // The clock of the machine may have been set back.
    if (last && Math.abs(now - last.loggedAt) < LOG_INTERVAL_MS) {
      last.omitted++;
      return;
    }
    this.#kinds.set(kind, { loggedAt: now, omitted: 0 });
    const message = getMessage();
    const text = message.length > MAX_MESSAGE_LENGTH ? `${message.slice(0, MAX_MESSAGE_LENGTH)}...` : message;
    const more = last && last.omitted > 0 ? ` (and ${last.omitted} more since ${toIso(last.loggedAt)})` : '';
    this.#logger[level](text + more);
  }
}
