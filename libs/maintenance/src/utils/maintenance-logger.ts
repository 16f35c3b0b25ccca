import { Logger } from '@nestjs/common';
import { escapeControlCharacters } from './escape-control-characters.js';

/**
 * Writes to the application's log under the name of the module. A message stays one line and can't drive a terminal, whatever clients,
 * operators and storages put into it.
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
