import { ConsoleLogger } from '@nestjs/common';

const STARTUP = ['NestFactory', 'InstanceLoader', 'RoutesResolver', 'RouterExplorer', 'NestApplication'];

/** Omits Nest's startup lines, so that the messages of the shop are visible. */
export class QuietLogger extends ConsoleLogger {
  override log(message: unknown, ...rest: unknown[]): void {
    if (!STARTUP.includes(String(rest.at(-1)))) super.log(message, ...rest);
  }
}
