import type { WsMessageHandler } from '@nestjs/common';
import type { HandlerRules } from '../../policy/handler-rules.js';
import { CallInFlight, trackCall, type TrackedHandler } from '../../drain/call-in-flight.js';
import type { TransportDeps } from '../transport-deps.interface.js';
import { formatGatewayNames } from './gateways.js';
import type { OpenSocket } from './open-sockets.js';
import type { SocketPolicy } from './socket-policy.js';

type TrackingDeps = Pick<TransportDeps, 'inFlight' | 'policy' | 'changes'>;

/** Counts messages of sockets as in flight while their handlers run. */
export class SocketMessages {
  constructor(
    private readonly deps: TrackingDeps,
    private readonly socketPolicy: SocketPolicy,
  ) {}

  /** Wraps the handlers of one socket. */
  trackHandlers(socket: OpenSocket, handlers: WsMessageHandler[]): WsMessageHandler[] {
    return handlers.map((handler) => {
      const trackedHandler = this.#createTrackedHandler(socket, handler.message);
      const callback = (...args: unknown[]): Promise<unknown> =>
        trackCall(new CallInFlight(trackedHandler), this.deps, () => handler.callback(...args));
      return { ...handler, callback };
    });
  }

  // Nest does not say which gateway a handler belongs to. If several gateways share an address, all their handlers of
  // the message run.
  #createTrackedHandler(socket: OpenSocket, message: unknown): TrackedHandler {
    const { gateways } = socket.group;
    const matching = gateways.flatMap(({ type, handlers }) =>
      handlers.filter((handler) => handler.message === message).map(({ rules }) => ({ type, rules })),
    );
    const allRules = matching.map(({ rules }) => rules);
    return {
      name: `socket ${formatGatewayNames(matching)} ${JSON.stringify(message)}`,
      becameRefusedSince: (before) => allRules.some((rules) => this.#becameRefusedSince(socket, rules, before)),
    };
  }

  #becameRefusedSince(
    { client, handshake }: OpenSocket,
    rules: HandlerRules,
    before: Parameters<TrackedHandler['becameRefusedSince']>[0],
  ): boolean {
    const request = this.socketPolicy.toPolicyRequest(client, handshake);
    // A message may write, although the handshake is a GET.
    return this.deps.policy.becameRefusedSince({ rules, request, context: null, access: 'write' }, before);
  }
}
