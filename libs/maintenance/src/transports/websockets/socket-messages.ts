import type { WsMessageHandler } from '@nestjs/common';
import type { HandlerRules } from '../../policy/handler-rules.js';
import { CallInFlight, trackCall, type TrackedHandler } from '../../drain/call-in-flight.js';
import type { TransportDeps } from '../transport-deps.interface.js';
import type { OpenSocket } from './open-sockets.js';
import type { SocketPolicy } from './socket-policy.js';

type TrackingDeps = Pick<TransportDeps, 'inFlight' | 'policy' | 'changes'>;

/** The messages of sockets, which count while their handlers are at work. */
export class SocketMessages {
  constructor(
    private readonly deps: TrackingDeps,
    private readonly socketPolicy: SocketPolicy,
  ) {}

  /** The same handlers, for one socket. */
  trackHandlers(socket: OpenSocket, handlers: WsMessageHandler[]): WsMessageHandler[] {
    return handlers.map((handler) => {
      const callee = this.#createTrackedHandler(socket, handler.message);
      const callback = (...args: unknown[]): Promise<unknown> =>
        trackCall(new CallInFlight(callee), this.deps, () => handler.callback(...args));
      return { ...handler, callback };
    });
  }

  // Nest does not say whose handlers they are. Of several gateways at one place, all that handle the message get it.
  #createTrackedHandler(socket: OpenSocket, message: unknown): TrackedHandler {
    const { gateways } = socket.group;
    const handling = gateways.flatMap(({ type, handlers }) =>
      handlers.filter((handler) => handler.message === message).map(({ rules }) => ({ type, rules })),
    );
    const names = [...new Set(handling.map(({ type }) => type.name))].join(', ');
    const all = handling.map(({ rules }) => rules);
    return {
      name: `socket ${names} ${JSON.stringify(message)}`,
      becameRefusedSince: (before) => all.some((rules) => this.#becameRefusedSince(socket, rules, before)),
    };
  }

  #becameRefusedSince(
    { client, handshake }: OpenSocket,
    rules: HandlerRules,
    before: Parameters<TrackedHandler['becameRefusedSince']>[0],
  ): boolean {
    const request = this.socketPolicy.toPolicyRequest(client, handshake);
    // The handshake is always a GET, and says nothing of what a message does.
    return this.deps.policy.becameRefusedSince({ rules, request, context: null, access: 'write' }, before);
  }
}
