import type { ExecutionContext } from '@nestjs/common';
import type { WsException } from '@nestjs/websockets';
import type { Subscription } from 'rxjs';
import { EMIT_MESSAGE_METHOD } from '../../nest-internals.js';
import type { HandlerRules } from '../../policy/handler-rules.js';
import type { PolicyInput } from '../../policy/maintenance-policy.js';
import type { Refusal } from '../../policy/refusal.js';
import type { TransportAdapter } from '../../policy/transport-adapters.js';
import { guardGateways } from './gateway-guard.js';
import { findGateways, type Gateway } from './gateway-rules.js';
import { WsExceptionForwarder } from './ws-exception-forwarder.js';
import { OpenSockets } from './open-sockets.js';
import { createRefusalPayload } from '../../http/refusal-payload.js';
import { SocketPolicy } from './socket-policy.js';
import type { SocketClient } from './socket-library.interface.js';
import { SocketMessages } from './socket-messages.js';
import { SocketServers } from './socket-servers.js';
import type { TransportDeps } from '../transport-deps.interface.js';

/** WebSocket gateways: their handshakes, their open sockets and their messages. */
export class WebSocketTransport implements TransportAdapter {
  readonly type = 'ws';
  readonly #gateways: readonly Gateway[];
  readonly #socketPolicy: SocketPolicy;
  readonly #openSockets: OpenSockets;
  readonly #servers: SocketServers;
  /** Gateways that have a guard of ours, so that a global one has nothing to decide there. */
  readonly #guardedTypes = new Set<unknown>();
  #undoGuards: () => void = () => undefined;
  #changes: Subscription | null = null;

  static async create(parts: TransportDeps): Promise<WebSocketTransport> {
    // Nest asks whether an exception is of its own package, which an application without gateways does not have.
    const { BaseWsExceptionFilter, WsException } = await import('@nestjs/websockets');
    const sendsToEveryClient = EMIT_MESSAGE_METHOD in BaseWsExceptionFilter.prototype;
    return new WebSocketTransport(parts, WsException, sendsToEveryClient ? null : new WsExceptionForwarder());
  }

  private constructor(
    private readonly deps: TransportDeps,
    private readonly Exception: typeof WsException,
    private readonly localExceptions: WsExceptionForwarder | null,
  ) {
    const {
      policy,
      httpIntegration: mount,
      modules,
      reader,
      config,
      statusCode,
      hasMiddleware: hasEdge,
      hasGlobalGuard: hasGuard,
    } = deps;
    this.#gateways = findGateways(modules, reader);
    this.#socketPolicy = new SocketPolicy(policy, mount);
    this.#openSockets = new OpenSockets(this.#socketPolicy);
    this.#servers = new SocketServers({
      config,
      gateways: this.#gateways,
      socketPolicy: this.#socketPolicy,
      openSockets: this.#openSockets,
      messages: new SocketMessages(deps, this.#socketPolicy),
      statusCode,
      upgrades: deps.upgrades,
      shouldRefuseConnections: hasEdge && hasGuard,
    });
  }

  toPolicyInput(context: ExecutionContext, rules: HandlerRules): PolicyInput | null {
    const isDecidedThere =
      this.#guardedTypes.has(context.getClass()) && this.#openSockets.find(getClient(context)) !== undefined;
    return isDecidedThere ? null : this.#toPolicyInput(context, rules);
  }

  createError(refusal: Refusal, context: ExecutionContext): unknown {
    const data = createRefusalPayload(refusal);
    // Nest leaves a client that waits for an acknowledgement waiting.
    const acknowledge = context.getArgs<unknown[]>().find((argument) => typeof argument === 'function');
    (acknowledge as ((data: unknown) => void) | undefined)?.(data);
    this.localExceptions?.forward(getClient(context), data);
    return new this.Exception(data);
  }

  attach(): void {
    this.#servers.attach();
    const { hasGlobalGuard: hasGuard, policy, changes } = this.deps;
    if (!hasGuard) return;
    const types = this.#gateways.map(({ type }) => type);
    for (const type of types) this.#guardedTypes.add(type);
    const guard = { canActivate: (context: ExecutionContext) => this.#canActivate(context) };
    // Where the user matters, the gateway's own guards may have to find one out before.
    this.#undoGuards = guardGateways(types, guard, !policy.hasUserExemptions);
    this.#changes = changes.subscribe(() => this.#openSockets.closeRefused());
  }

  close(): void {
    this.#changes?.unsubscribe();
    this.#undoGuards();
    this.#servers.detach();
    this.#openSockets.clear();
  }

  #canActivate(context: ExecutionContext): boolean | Promise<boolean> {
    const { policy, reader } = this.deps;
    // The guard is on the class, and the client may be of another application with the same class.
    if (!this.#openSockets.find(getClient(context))) return true;
    const rules = reader.getRules(context.getClass(), context.getHandler() as never);
    if (rules.override !== 'refuse' && policy.isIdle) return true;
    return this.#decide(context, rules);
  }

  async #decide(context: ExecutionContext, rules: HandlerRules): Promise<boolean> {
    const decision = await this.deps.policy.decide(this.#toPolicyInput(context, rules));
    if (typeof decision === 'object') throw this.createError(decision, context);
    return true;
  }

  #toPolicyInput(context: ExecutionContext, rules: HandlerRules): PolicyInput {
    const client = getClient(context);
    const handshake = this.#openSockets.find(client)?.handshake ?? client.request ?? null;
    // The handshake is always a GET, and says nothing of what a message does.
    return { rules, request: this.#socketPolicy.toPolicyRequest(client, handshake), context, access: 'write' };
  }
}

function getClient(context: ExecutionContext): SocketClient {
  return context.switchToWs().getClient<SocketClient>();
}
