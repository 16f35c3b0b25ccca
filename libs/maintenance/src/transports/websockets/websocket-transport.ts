import type { ExecutionContext } from '@nestjs/common';
import type { WsException } from '@nestjs/websockets';
import type { Subscription } from 'rxjs';
import { EMIT_MESSAGE_METHOD, MESSAGE_METADATA } from '../../nest-internals.js';
import type { HandlerRules } from '../../policy/handler-rules.js';
import type { PolicyInput } from '../../policy/maintenance-policy.js';
import type { Refusal } from '../../policy/refusal.js';
import { publishRefusal } from '../../policy/refusal-channel.js';
import type { TransportAdapter } from '../../policy/transport-adapters.js';
import { findGateways, type Gateway } from './gateways.js';
import { guardGateways } from './guard-gateways.js';
import { WsExceptionForwarder } from './ws-exception-forwarder.js';
import { OpenSockets } from './open-sockets.js';
import { createRefusalPayload } from '../../http/refusal-payload.js';
import { SocketPolicy } from './socket-policy.js';
import type { SocketClient } from './socket-library.interface.js';
import { SocketMessages } from './socket-messages.js';
import { SocketServers } from './socket-servers.js';
import type { TransportDeps } from '../transport-deps.interface.js';

/** Guards WebSocket gateways: their handshakes, their open sockets and their messages. */
export class WebSocketTransport implements TransportAdapter {
  readonly type = 'ws';
  readonly #gateways: readonly Gateway[];
  readonly #socketPolicy: SocketPolicy;
  readonly #openSockets: OpenSockets;
  readonly #servers: SocketServers;
  /** Gateways with our guard attached; the global guard skips them. */
  readonly #guardedTypes = new Set<unknown>();
  #undoGuards: () => void = () => undefined;
  #changes: Subscription | null = null;

  static async create(deps: TransportDeps): Promise<WebSocketTransport> {
    // Loaded here, because an application without gateways need not have the package. Nest checks exceptions with
    // `instanceof`.
    const { BaseWsExceptionFilter, WsException } = await import('@nestjs/websockets');
    const sendsToEveryClient = EMIT_MESSAGE_METHOD in BaseWsExceptionFilter.prototype;
    return new WebSocketTransport(deps, WsException, sendsToEveryClient ? null : new WsExceptionForwarder());
  }

  private constructor(
    private readonly deps: TransportDeps,
    private readonly Exception: typeof WsException,
    private readonly exceptionForwarder: WsExceptionForwarder | null,
  ) {
    this.#gateways = findGateways(deps.discovery, deps.reader);
    this.#socketPolicy = new SocketPolicy(deps.policy, deps.httpIntegration);
    this.#openSockets = new OpenSockets(this.#socketPolicy);
    this.#servers = new SocketServers({
      config: deps.config,
      gateways: this.#gateways,
      socketPolicy: this.#socketPolicy,
      openSockets: this.#openSockets,
      messages: new SocketMessages(deps, this.#socketPolicy),
      statusCode: deps.statusCode,
      upgrades: deps.upgrades,
      shouldRefuseConnections: deps.hasMiddleware && deps.hasGlobalGuard,
    });
  }

  toPolicyInput(context: ExecutionContext, rules: HandlerRules): PolicyInput | null {
    const hasOwnGuard =
      this.#guardedTypes.has(context.getClass()) && this.#openSockets.find(getClient(context)) !== undefined;
    return hasOwnGuard ? null : this.#toPolicyInput(context, rules);
  }

  createError(refusal: Refusal, context: ExecutionContext): unknown {
    publishRefusal(refusal, () => {
      const message: unknown = Reflect.getMetadata(MESSAGE_METADATA, context.getHandler());
      const route = `socket ${context.getClass().name} ${JSON.stringify(message)}`;
      return { route, method: 'message', transport: this.type, status: this.deps.statusCode };
    });
    const data = createRefusalPayload(refusal);
    // If a guard refuses a message, Nest never calls the acknowledgement that the client may wait for.
    const acknowledge = context.getArgs<unknown[]>().find((argument) => typeof argument === 'function');
    (acknowledge as ((data: unknown) => void) | undefined)?.(data);
    this.exceptionForwarder?.forward(getClient(context), data);
    return new this.Exception(data);
  }

  attach(): void {
    this.#servers.attach();
    const { hasGlobalGuard, policy, changes } = this.deps;
    if (!hasGlobalGuard) return;
    const types = this.#gateways.map(({ type }) => type);
    for (const type of types) this.#guardedTypes.add(type);
    const guard = { canActivate: (context: ExecutionContext) => this.#canActivate(context) };
    // With exemptions by user, the gateway's own guards run first: they may authenticate the user.
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
    // The guard is attached to the class, and the client may belong to another application with the same class.
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
    // A message may write, although the handshake is a GET.
    return { rules, request: this.#socketPolicy.toPolicyRequest(client, handshake), context, access: 'write' };
  }
}

function getClient(context: ExecutionContext): SocketClient {
  return context.switchToWs().getClient<SocketClient>();
}
