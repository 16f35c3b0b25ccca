import type { WsMessageHandler } from '@nestjs/common';
import type { HandlerRules } from '../../policy/handler-rules.js';
import { CallInFlight, counted, type Callee } from '../../drain/call-in-flight.js';
import type { TransportParts } from '../transport-parts.js';
import type { OpenSocket } from './open-sockets.js';
import type { SocketGate } from './socket-gate.js';

type Parts = Pick<TransportParts, 'inFlight' | 'policy' | 'changes'>;

/** The messages of sockets, which count while their handlers are at work. */
export class SocketMessages {
  constructor(
    private readonly parts: Parts,
    private readonly gate: SocketGate,
  ) {}

  /** The same handlers, for one socket. */
  counting(socket: OpenSocket, handlers: WsMessageHandler[]): WsMessageHandler[] {
    return handlers.map((handler) => {
      const callee = this.#calleeOf(socket, handler.message);
      const callback = (...args: unknown[]): Promise<unknown> =>
        counted(new CallInFlight(callee), this.parts, () => handler.callback(...args));
      return { ...handler, callback };
    });
  }

  // Nest does not say whose handlers they are. Of several gateways at one place, all that handle the message get it.
  #calleeOf(socket: OpenSocket, message: unknown): Callee {
    const { gateways } = socket.entrance;
    const handling = gateways.flatMap(({ type, handlers }) =>
      handlers.filter((handler) => handler.message === message).map(({ rules }) => ({ type, rules })),
    );
    const names = [...new Set(handling.map(({ type }) => type.name))].join(', ');
    const all = handling.map(({ rules }) => rules);
    return {
      name: `socket ${names} ${JSON.stringify(message)}`,
      isClosedSince: (before) => all.some((rules) => this.#isClosedSince(socket, rules, before)),
    };
  }

  #isClosedSince(
    { client, handshake }: OpenSocket,
    rules: HandlerRules,
    before: Parameters<Callee['isClosedSince']>[0],
  ): boolean {
    const request = this.gate.requestOf(client, handshake);
    // The handshake is always a GET, and says nothing of what a message does.
    return this.parts.policy.closesSince({ rules, request, context: null, access: 'write' }, before);
  }
}
