import type { ExecutionContext } from '@nestjs/common';
import type * as microservices from '@nestjs/microservices';
import { isObservable, type Subscription } from 'rxjs';
import type { Refusal } from '../../policy/refusal.js';
import { publishRefusal } from '../../policy/refusal-channel.js';
import type { TransportAdapter } from '../../policy/transport-adapters.js';
import { endWhenRefused } from './end-when-refused.js';
import { createGrpcError, endStreamCall, isStreamCall, isStreamCallPattern } from './grpc-calls.js';
import { guardCalls } from './guard-calls.js';
import { createRefetchError } from './paused-topics.js';
import { RefusedEvents } from './refused-events.js';
import { createHandlerLookup, describeCall, isEventHandler, findRpcHandlers, getTransport } from './rpc-handlers.js';
import { patchMethod } from '../../utils/patch-method.js';
import type { RpcCallback, RpcServer } from './rpc-server.interface.js';
import { RpcServerWatcher, type Registration } from './rpc-server-watcher.js';
import { createRefusalPayload } from '../../http/refusal-payload.js';
import { trackRpcHandler, type RegisteredHandler } from './track-rpc-handler.js';
import { warnOfLostEvents } from './warn-of-lost-events.js';
import type { TransportDeps } from '../transport-deps.interface.js';

type MicroservicesPackage = typeof microservices;

/** Guards handlers of messages and events, in microservices and in applications with connected microservices. */
export class MicroserviceTransport implements TransportAdapter {
  readonly type = 'rpc';
  readonly #events: RefusedEvents;
  readonly #servers: RpcServerWatcher;
  /** Calls of gRPC that have received their error here. */
  readonly #endedCalls = new WeakSet<object>();
  readonly #registered = new WeakMap<RpcCallback, RegisteredHandler>();
  #changes: Subscription | null = null;

  static async create(deps: TransportDeps): Promise<MicroserviceTransport> {
    return new MicroserviceTransport(deps, await import('@nestjs/microservices'));
  }

  private constructor(
    private readonly deps: TransportDeps,
    private readonly rpc: MicroservicesPackage,
  ) {
    const { modules, config } = deps;
    this.#events = new RefusedEvents(deps, rpc);
    this.#servers = new RpcServerWatcher({
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
    const isGrpc = getTransport(handler) === Transport.GRPC;
    publishRefusal(refusal, () => ({
      ...describeCall(handler, isGrpc),
      transport: this.type,
      status: this.deps.statusCode,
    }));
    if (isEventHandler(handler) || !this.#events.isReplyExpected(context)) {
      const rules = this.deps.reader.getRules(context.getClass(), handler as never);
      return this.#events.refuse(context, rules, refusal);
    }
    if (!isGrpc) {
      this.#events.acknowledgeRequest(context);
      return new RpcException(createRefusalPayload(refusal));
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
    this.#servers.detach();
    this.#events.clear();
  }

  #prepareServer(server: RpcServer, registrations: readonly Registration[]): (() => void)[] {
    return [this.#wrapHandlers(server, registrations), ...this.#patchServer(server)];
  }

  #wrapHandlers(server: RpcServer, registrations: readonly Registration[]): () => void {
    const { hasGlobalGuard, discovery, reader } = this.deps;
    const isGrpc = server.transportId === this.rpc.Transport.GRPC;
    let findHandler: ReturnType<typeof createHandlerLookup> | undefined;
    return patchMethod(server, 'addHandler', (addHandler) => (pattern, callback, isEvent = false, ...rest) => {
      findHandler ??= createHandlerLookup(findRpcHandlers(discovery, reader), server.transportId);
      const handler = findHandler(pattern);
      if (!handler) return addHandler(pattern, callback, isEvent, ...rest);
      const registered: RegisteredHandler = { pattern, callback, handler, isEvent, isGrpc, isStream: false };
      if (hasGlobalGuard && !isEvent) registered.callback = this.#endWhenRefused(callback, registered);
      const isGuarded = handler.isStatic && registrations.at(-1)?.hasReadGlobalGuards === true;
      if (hasGlobalGuard && !isGuarded) registered.callback = this.#addGuard(registered, registrations);
      const trackedCallback = trackRpcHandler(registered, this.deps);
      this.#registered.set(trackedCallback, registered);
      return addHandler(pattern, trackedCallback, isEvent, ...rest);
    });
  }

  #addGuard(registered: RegisteredHandler, registrations: readonly Registration[]): RpcCallback {
    const { isStatic } = registered.handler;
    // For a request-scoped handler, Nest reads the global guards later. Whether it reads them shows in the other
    // handlers of the server.
    const isNeeded = (): boolean => isStatic || !registrations.some(({ hasReadGlobalGuards }) => hasReadGlobalGuards);
    return guardCalls(registered, isNeeded, {
      policy: this.deps.policy,
      RpcException: this.rpc.RpcException,
      createError: (refusal, context) => this.createError(refusal, context),
      hasEnded: (call) => this.#endedCalls.has(call as object),
    });
  }

  // The guard runs only when a stream starts, so a window has to end streams that are open.
  #endWhenRefused(callback: RpcCallback, registered: RegisteredHandler): RpcCallback {
    const { handler, isGrpc } = registered;
    return async (...args) => {
      const result = await callback(...args);
      if (!isObservable(result)) return result;
      const createError = (refusal: Refusal): unknown =>
        isGrpc ? createGrpcError(refusal, args) : createRefusalPayload(refusal);
      return endWhenRefused(result, handler.rules, this.deps, { createError, isStream: registered.isStream });
    };
  }

  #recordStreams(server: RpcServer): () => void {
    return patchMethod(server, 'createServiceMethod', (createServiceMethod) => (handler, definition, streaming) => {
      const registered = this.#registered.get(handler);
      if (registered) registered.isStream = definition.responseStream === true;
      return createServiceMethod!(handler, definition, streaming);
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

  // Nest does not handle an error that a handler with `@GrpcStreamCall()` throws: it would end the process.
  #patchStreamCalls(server: RpcServer): () => void {
    return patchMethod(server, 'addHandler', (addHandler) => (pattern, callback, ...rest) => {
      if (!isStreamCallPattern(pattern)) return addHandler(pattern, callback, ...rest);
      const patchedCallback = async (...args: unknown[]): Promise<unknown> => {
        const result = await callback(...args);
        return this.#endedCalls.has(args[0] as object) ? undefined : result;
      };
      return addHandler(pattern, patchedCallback, ...rest);
    });
  }

  #recordChannels(server: RpcServer): () => void {
    return patchMethod(server, 'handleMessage', (handleMessage) => (message, channel) => {
      this.#events.addManualAckChannel(channel);
      return handleMessage!(message, channel);
    });
  }

  // The guard can only throw. Kafka then redelivers the event, and Nest replaces the error that the guard throws.
  #patchEvents(server: RpcServer): () => void {
    return patchMethod(server, 'handleEvent', (handleEvent) => async (pattern, packet, context) => {
      try {
        return await handleEvent!(pattern, packet, context);
      } catch (error) {
        if (this.#events.isHandled(context)) return undefined;
        throw this.#events.isPaused(context) ? await createRefetchError(error) : error;
      }
    });
  }

  #warnOfLostEvents(server: RpcServer, registrations: readonly Registration[]): void {
    // Without the global guard, only handlers that use the guard themselves refuse events.
    if (!this.deps.hasGlobalGuard || this.deps.microservices.events !== 'redeliver') return;
    const handlers = findRpcHandlers(this.deps.discovery, this.deps.reader);
    warnOfLostEvents(server, registrations, handlers, this.rpc.Transport);
  }
}
