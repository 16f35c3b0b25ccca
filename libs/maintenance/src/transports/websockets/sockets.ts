import type { ExecutionContext } from '@nestjs/common';
import type { WsException } from '@nestjs/websockets';
import type { Subscription } from 'rxjs';
import type { HandlerRules } from '../../policy/handler-rules.js';
import type { Visit } from '../../policy/maintenance-policy.js';
import type { Refusal } from '../../policy/refusal.js';
import type { Transport } from '../../policy/transport.js';
import { guardGateways } from './gateway-guard.js';
import { gatewaysOf, type Gateway } from './gateway-rules.js';
import { LocalExceptions } from './local-exceptions.js';
import { OpenSockets } from './open-sockets.js';
import { refusedCall } from '../../http/refused-call.js';
import { SocketGate } from './socket-gate.js';
import type { Client } from './socket-library.js';
import { SocketMessages } from './socket-messages.js';
import { SocketServers } from './socket-servers.js';
import type { TransportParts } from '../transport-parts.js';

/** WebSocket gateways: their handshakes, their open sockets and their messages. */
export class Sockets implements Transport {
  readonly type = 'ws';
  readonly #gateways: readonly Gateway[];
  readonly #gate: SocketGate;
  readonly #open: OpenSockets;
  readonly #servers: SocketServers;
  /** Gateways that have a guard of ours, so that a global one has nothing to decide there. */
  readonly #guarded = new Set<unknown>();
  #undoGuards: () => void = () => undefined;
  #changes: Subscription | null = null;

  static async create(parts: TransportParts): Promise<Sockets> {
    // Nest asks whether an exception is of its own package, which an application without gateways does not have.
    const { BaseWsExceptionFilter, WsException } = await import('@nestjs/websockets');
    const sendsToEveryClient = 'emitMessage' in BaseWsExceptionFilter.prototype;
    return new Sockets(parts, WsException, sendsToEveryClient ? null : new LocalExceptions());
  }

  private constructor(
    private readonly parts: TransportParts,
    private readonly Exception: typeof WsException,
    private readonly localExceptions: LocalExceptions | null,
  ) {
    const { policy, mount, modules, reader, config, statusCode, hasEdge, hasGuard } = parts;
    this.#gateways = gatewaysOf(modules, reader);
    this.#gate = new SocketGate(policy, mount);
    this.#open = new OpenSockets(this.#gate);
    this.#servers = new SocketServers({
      config,
      gateways: this.#gateways,
      gate: this.#gate,
      open: this.#open,
      messages: new SocketMessages(parts, this.#gate),
      statusCode,
      upgrades: parts.upgrades,
      guardsEntrances: hasEdge && hasGuard,
    });
  }

  visitOf(context: ExecutionContext, rules: HandlerRules): Visit | null {
    const isDecidedThere = this.#guarded.has(context.getClass()) && this.#open.of(clientOf(context)) !== undefined;
    return isDecidedThere ? null : this.#visitOf(context, rules);
  }

  errorFor(refusal: Refusal, context: ExecutionContext): unknown {
    const data = refusedCall(refusal);
    // Nest leaves a client that waits for an acknowledgement waiting.
    const acknowledge = context.getArgs<unknown[]>().find((argument) => typeof argument === 'function');
    (acknowledge as ((data: unknown) => void) | undefined)?.(data);
    this.localExceptions?.expect(clientOf(context), data);
    return new this.Exception(data);
  }

  attach(): void {
    this.#servers.attach();
    const { hasGuard, policy, changes } = this.parts;
    if (!hasGuard) return;
    const types = this.#gateways.map(({ type }) => type);
    for (const type of types) this.#guarded.add(type);
    const guard = { canActivate: (context: ExecutionContext) => this.#admits(context) };
    // Where the user matters, the gateway's own guards may have to find one out before.
    this.#undoGuards = guardGateways(types, guard, !policy.asksWho);
    this.#changes = changes.subscribe(() => this.#open.review());
  }

  close(): void {
    this.#changes?.unsubscribe();
    this.#undoGuards();
    this.#servers.detach();
    this.#open.clear();
  }

  #admits(context: ExecutionContext): boolean | Promise<boolean> {
    const { policy, reader } = this.parts;
    // The guard is on the class, and the client may be of another application with the same class.
    if (!this.#open.of(clientOf(context))) return true;
    const rules = reader.rulesOf(context.getClass(), context.getHandler() as never);
    if (rules.verdict !== 'refuse' && policy.isIdle) return true;
    return this.#decide(context, rules);
  }

  async #decide(context: ExecutionContext, rules: HandlerRules): Promise<boolean> {
    const decision = await this.parts.policy.decide(this.#visitOf(context, rules));
    if (typeof decision === 'object') throw this.errorFor(decision, context);
    return true;
  }

  #visitOf(context: ExecutionContext, rules: HandlerRules): Visit {
    const client = clientOf(context);
    const handshake = this.#open.of(client)?.handshake ?? client.request ?? null;
    // The handshake is always a GET, and says nothing of what a message does.
    return { rules, request: this.#gate.requestOf(client, handshake), context, access: 'write' };
  }
}

function clientOf(context: ExecutionContext): Client {
  return context.switchToWs().getClient<Client>();
}
