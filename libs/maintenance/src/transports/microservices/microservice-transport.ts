import type { ExecutionContext } from '@nestjs/common';
import type * as microservices from '@nestjs/microservices';
import { isObservable, type Subscription } from 'rxjs';
import type { Refusal } from '../../policy/refusal.js';
import type { TransportAdapter } from '../../policy/transport-adapters.js';
import { createRefetchError } from './refetch.error.js';
import { isStreamCallPattern } from './grpc-calls.js';
import { guardCalls } from './guard-calls.js';
import { warnOfLostEvents } from './microservice-warnings.js';
import { endWhenRefused } from './end-when-refused.js';
import { RefusedEvents } from './refused-events.js';
import { endStreamCall, createGrpcError, isStreamCall, createMessageError } from './rpc-errors.js';
import { trackRpcHandler, type RegisteredHandler } from './rpc-calls.js';
import { createHandlerLookup, isEventHandler, findRpcHandlers, getTransport } from './rpc-handlers.js';
import { patchMethod } from '../../utils/patch-method.js';
import type { RpcCallback, RpcServer } from './rpc-server.js';
import { RpcServers, type Registration } from './rpc-servers.js';
import { createRefusalPayload } from '../../http/refusal-payload.js';
import type { TransportDeps } from '../transport-deps.interface.js';

type MicroservicesPackage = typeof microservices;

/** Handlers of messages and events, of a microservice or of an application with microservices connected to it. */
export class MicroserviceTransport implements TransportAdapter {
  readonly type = 'rpc';
  readonly #events: RefusedEvents;
  readonly #servers: RpcServers;
  /** Calls of gRPC that got their error here. */
  readonly #endedCalls = new WeakSet<object>();
  readonly #registered = new WeakMap<RpcCallback, RegisteredHandler>();
  #changes: Subscription | null = null;

  static async create(parts: TransportDeps): Promise<MicroserviceTransport> {
    return new MicroserviceTransport(parts, await import('@nestjs/microservices'));
  }

  private constructor(
    private readonly deps: TransportDeps,
    private readonly rpc: MicroservicesPackage,
  ) {
    const { modules, config } = deps;
    this.#events = new RefusedEvents(deps, rpc);
    this.#servers = new RpcServers({
      modules,
      config,
      prepareServer: (server, registrations) => this.#prepareServer(server, registrations),
      onListen: (server, registrations) => this.#warnOfLostEvents(server, registrations),
    });
  }

  attach(): void {
    this.#servers.attach();
    this.#changes = this.deps.changes.subscribe(() => this.#events.releaseAdmitted());
  }

  createError(refusal: Refusal, context: ExecutionContext): unknown {
    const { RpcException, Transport } = this.rpc;
    const handler = context.getHandler();
    if (isEventHandler(handler) || !this.#events.isReplyExpected(context)) {
      const rules = this.deps.reader.getRules(context.getClass(), handler as never);
      return this.#events.refuse(context, rules, refusal);
    }
    if (getTransport(handler) !== Transport.GRPC) {
      this.#events.acknowledgeRequest(context);
      return createMessageError(RpcException, refusal);
    }
    const error = createGrpcError(refusal, context.getArgs());
    if (isStreamCall(context)) {
      endStreamCall(error, context);
      this.#endedCalls.add(context.getArgByIndex<object>(0));
    }
    return new RpcException(error);
  }

  close(): void {
    this.#changes?.unsubscribe();
    this.#servers.close();
    this.#events.close();
  }

  #prepareServer(server: RpcServer, registrations: readonly Registration[]): (() => void)[] {
    return [this.#wrapHandlers(server, registrations), ...this.#patchServer(server)];
  }

  #wrapHandlers(server: RpcServer, registrations: readonly Registration[]): () => void {
    const { hasGlobalGuard: hasGuard, modules, reader } = this.deps;
    const isGrpc = server.transportId === this.rpc.Transport.GRPC;
    let handlerOf: ReturnType<typeof createHandlerLookup> | undefined;
    return patchMethod(server, 'addHandler', (add) => (pattern, callback, isEvent = false, ...rest) => {
      handlerOf ??= createHandlerLookup(findRpcHandlers(modules, reader), server.transportId);
      const handler = handlerOf(pattern);
      if (!handler) return add(pattern, callback, isEvent, ...rest);
      const registered: RegisteredHandler = { pattern, callback, handler, isEvent, isGrpc, isStream: false };
      if (hasGuard && !isEvent) registered.callback = this.#endWhenRefused(callback, registered);
      const isGuarded = handler.isStatic && registrations.at(-1)?.hasReadGlobalGuards === true;
      if (hasGuard && !isGuarded) registered.callback = this.#addGuard(registered, registrations);
      const counts = trackRpcHandler(registered, this.deps);
      this.#registered.set(counts, registered);
      return add(pattern, counts, isEvent, ...rest);
    });
  }

  #addGuard(registered: RegisteredHandler, registrations: readonly Registration[]): RpcCallback {
    const { isStatic } = registered.handler;
    // For a handler that is made for each request, Nest asks later: what it did for the others of the server tells.
    const isNeeded = (): boolean => isStatic || !registrations.some(({ hasReadGlobalGuards: hasAsked }) => hasAsked);
    return guardCalls(registered, isNeeded, {
      policy: this.deps.policy,
      RpcException: this.rpc.RpcException,
      createError: (refusal, context) => this.createError(refusal, context),
      hasEnded: (call) => this.#endedCalls.has(call as object),
    });
  }

  // What a handler sends on and on goes past the guard once it has begun.
  #endWhenRefused(callback: RpcCallback, registered: RegisteredHandler): RpcCallback {
    const { handler, isGrpc } = registered;
    return async (...args) => {
      const result = await callback(...args);
      if (!isObservable(result)) return result;
      const errorOf = (refusal: Refusal): unknown =>
        isGrpc ? createGrpcError(refusal, args) : createRefusalPayload(refusal);
      return endWhenRefused(result, handler.rules, this.deps, { createError: errorOf, isStream: registered.isStream });
    };
  }

  #recordStreams(server: RpcServer): () => void {
    return patchMethod(server, 'createServiceMethod', (create) => (handler, definition, streaming) => {
      const registered = this.#registered.get(handler);
      if (registered) registered.isStream = definition.responseStream === true;
      return create!(handler, definition, streaming);
    });
  }

  #patchServer(server: RpcServer): (() => void)[] {
    const { Transport } = this.rpc;
    switch (server.transportId) {
      case Transport.GRPC:
        return [this.#patchStreamCalls(server), this.#recordStreams(server)];
      case Transport.RMQ:
        return server.noAck === false ? [this.#recordChannels(server)] : [];
      case Transport.KAFKA:
        return [this.#patchEvents(server)];
      default:
        return [];
    }
  }

  // Nest has nobody who listens to what `@GrpcStreamCall()` throws: it would end the process.
  #patchStreamCalls(server: RpcServer): () => void {
    return patchMethod(server, 'addHandler', (add) => (pattern, callback, ...rest) => {
      if (!isStreamCallPattern(pattern)) return add(pattern, callback, ...rest);
      const mended = async (...args: unknown[]): Promise<unknown> => {
        const result = await callback(...args);
        return this.#endedCalls.has(args[0] as object) ? undefined : result;
      };
      return add(pattern, mended, ...rest);
    });
  }

  #recordChannels(server: RpcServer): () => void {
    return patchMethod(server, 'handleMessage', (handle) => (message, channel) => {
      this.#events.addManualAckChannel(channel);
      return handle!(message, channel);
    });
  }

  // The guard can only throw, which brings an event back, and Nest throws something else instead.
  #patchEvents(server: RpcServer): () => void {
    return patchMethod(server, 'handleEvent', (handle) => async (pattern, packet, context) => {
      try {
        return await handle!(pattern, packet, context);
      } catch (error) {
        if (this.#events.isHandled(context)) return undefined;
        throw this.#events.isPaused(context) ? await createRefetchError(error) : error;
      }
    });
  }

  #warnOfLostEvents(server: RpcServer, registrations: readonly Registration[]): void {
    // Without a global guard, whoever names the guard on a handler has it there in any case.
    if (!this.deps.hasGlobalGuard || this.deps.microservices.events !== 'redeliver') return;
    const handlers = findRpcHandlers(this.deps.modules, this.deps.reader);
    warnOfLostEvents(server, registrations, handlers, this.rpc.Transport);
  }
}
