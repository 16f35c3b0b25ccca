import type { Transport } from '@nestjs/microservices';
import { MaintenanceLogger } from '../../utils/maintenance-logger.js';
import type { RpcHandler } from './rpc-handlers.js';
import type { Registration } from './rpc-servers.js';
import { getServerName, type RpcServer } from './rpc-server.js';

/** Warns of a server that would lose events which are refused, though they are to be delivered again. */
export function warnOfLostEvents(
  server: RpcServer,
  registrations: readonly Registration[],
  handlers: RpcHandler[],
  transports: typeof Transport,
): void {
  const { TCP, REDIS, NATS, MQTT, RMQ } = transports;
  const isForgetful = [TCP, REDIS, NATS, MQTT].includes(server.transportId as Transport);
  const isHasty = server.transportId === RMQ && server.noAck !== false;
  if (!isForgetful && !isHasty) return;
  const canBeRefused = ({ pattern }: Registration): boolean =>
    handlers.some(({ patterns, rules }) => rules.override !== 'admit' && patterns.includes(pattern));
  if (!registrations.some((registration) => registration.isEvent && canBeRefused(registration))) return;
  const remedy = isHasty ? 'With `noAck: false`, RabbitMQ redelivers them' : 'This transport does not redeliver';
  new MaintenanceLogger().warn(
    `Events that reach ${getServerName(server)} during maintenance are lost. ${remedy}. ` +
      "The option `microservices.events` says what becomes of them: 'drop' accepts the loss, a function can keep them.",
  );
}
