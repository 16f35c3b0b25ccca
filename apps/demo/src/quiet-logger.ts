import { ConsoleLogger } from '@nestjs/common';

const STARTUP = ['NestFactory', 'InstanceLoader', 'RoutesResolver', 'RouterExplorer', 'NestApplication'];

/** Leaves out the forty lines in which Nest tells what it starts, so that what the shop says is seen. */
export class QuietLogger extends ConsoleLogger {
  override log(message: unknown, ...rest: unknown[]): void {
    if (!STARTUP.includes(String(rest.at(-1)))) super.log(message, ...rest);
  }
}
