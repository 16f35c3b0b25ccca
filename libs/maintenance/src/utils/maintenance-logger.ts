import { Logger } from '@nestjs/common';
import { escapeControlCharacters } from './escape-control-characters.js';

/**
 * Writes to the application's log in the context `Maintenance`. Control characters from clients, operators and storages
 * are escaped, so that a message stays one line and can't control a terminal.
 */
export class MaintenanceLogger {
  readonly #logger = new Logger('Maintenance');

  log(message: string): void {
    this.#logger.log(escapeControlCharacters(message));
  }

  warn(message: string): void {
    this.#logger.warn(escapeControlCharacters(message));
  }

  error(message: string): void {
    this.#logger.error(escapeControlCharacters(message));
  }
}
