import { Logger } from '@nestjs/common';
import type { RpcHandler } from './rpc-handlers.js';
import type { Registration } from './rpc-servers.js';
import type { RpcServer } from './rpc-server.js';

/** Warns of a server whose handlers the guard does not see: one that was connected without the application's configuration. */
export function warnOfUnseen(server: RpcServer, registrations: Registration[], handlers: RpcHandler[]): boolean {
  if (registrations.some(({ hasAsked }) => hasAsked)) return false;
  // Handlers that are made for each request ask later, whatever the configuration.
  const isStatic = ({ pattern }: Registration): boolean =>
    handlers.some((handler) => handler.isStatic && handler.patterns.includes(pattern));
  if (!registrations.some(isStatic)) return false;
  new Logger('Maintenance').warn(
    `${nameOf(server)} is connected without \`inheritAppConfig\`, so that no guard of the application closes its handlers. ` +
      'Write app.connectMicroservice(options, { inheritAppConfig: true }).',
  );
  return true;
}

/** The server's class. */
export function nameOf(server: RpcServer): string {
  return server.constructor.name;
}
