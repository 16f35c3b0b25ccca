import type { Transport } from '@nestjs/microservices';
import { MaintenanceLogger } from '../../utils/maintenance-logger.js';
import type { RpcHandler } from './rpc-handlers.js';
import type { Registration } from './rpc-server-watcher.js';
import type { RpcServer } from './rpc-server.interface.js';

/** Warns if a server would lose refused events although the option asks for their redelivery. */
export function warnOfLostEvents(
  server: RpcServer,
  registrations: readonly Registration[],
  handlers: RpcHandler[],
  transports: typeof Transport,
): void {
  const { TCP, REDIS, NATS, MQTT, RMQ } = transports;
  const neverRedelivers = [TCP, REDIS, NATS, MQTT].includes(server.transportId as Transport);
  const autoAcks = server.transportId === RMQ && server.noAck !== false;
  if (!neverRedelivers && !autoAcks) return;
  const canBeRefused = ({ pattern }: Registration): boolean =>
    handlers.some(({ patterns, rules }) => rules.override !== 'admit' && patterns.includes(pattern));
  if (!registrations.some((registration) => registration.isEvent && canBeRefused(registration))) return;
  const reason = autoAcks
    ? 'RabbitMQ redelivers them only with `noAck: false`'
    : 'This transport does not redeliver them';
  new MaintenanceLogger().warn(
    `Events that reach ${server.constructor.name} during maintenance are lost. ${reason}. ` +
      "Set the option `microservices.events` to 'drop' to accept the loss, or to a function that stores them.",
  );
}
