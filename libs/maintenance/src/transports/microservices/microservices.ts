import type { ExecutionContext } from '@nestjs/common';
import type * as microservices from '@nestjs/microservices';
import { isObservable, type Subscription } from 'rxjs';
import type { Refusal } from '../../policy/refusal.js';
import type { Transport } from '../../policy/transport.js';
import { fetchAnew } from './fetch-anew.js';
import { isStreamCallPattern } from './grpc-calls.js';
import { guardCalls } from './guarded-calls.js';
import { warnOfLostEvents } from './lost-events.js';
import { untilRefused } from './open-streams.js';
import { RefusedEvents } from './refused-events.js';
import { endStreamCall, grpcErrorOf, isStreamCall, messageErrorOf } from './rpc-errors.js';
import { counting, type Registered } from './rpc-calls.js';
import { handlersInTurn, isEventHandler, rpcHandlersOf, transportOf } from './rpc-handlers.js';
import { replaceMethod } from '../../utils/patch-method.js';
import type { RpcCallback, RpcServer } from './rpc-server.js';
import { RpcServers, type Registration } from './rpc-servers.js';
import { refusedCall } from '../../http/refused-call.js';
import type { TransportParts } from '../transport-parts.js';

type Package = typeof microservices;

/** Handlers of messages and events, of a microservice or of an application with microservices connected to it. */
export class Microservices implements Transport {
  readonly type = 'rpc';
  readonly #events: RefusedEvents;
  readonly #servers: RpcServers;
  /** Calls of gRPC that got their error here. */
  readonly #ended = new WeakSet<object>();
  readonly #registered = new WeakMap<RpcCallback, Registered>();
  #changes: Subscription | null = null;

  static async create(parts: TransportParts): Promise<Microservices> {
    return new Microservices(parts, await import('@nestjs/microservices'));
  }

  private constructor(
    private readonly parts: TransportParts,
    private readonly rpc: Package,
  ) {
    const { modules, config } = parts;
    this.#events = new RefusedEvents(parts, rpc);
    this.#servers = new RpcServers({
      modules,
      config,
      prepare: (server, registrations) => this.#prepare(server, registrations),
      starts: (server, registrations) => this.#warn(server, registrations),
    });
  }

  attach(): void {
    this.#servers.attach();
    this.#changes = this.parts.changes.subscribe(() => this.#events.review());
  }

  errorFor(refusal: Refusal, context: ExecutionContext): unknown {
    const { RpcException, Transport } = this.rpc;
    const handler = context.getHandler();
    if (isEventHandler(handler) || !this.#events.isAsked(context)) {
      const rules = this.parts.reader.rulesOf(context.getClass(), handler as never);
      return this.#events.refuse(context, rules, refusal);
    }
    if (transportOf(handler) !== Transport.GRPC) {
      this.#events.answered(context);
      return messageErrorOf(RpcException, refusal);
    }
    const error = grpcErrorOf(refusal, context.getArgs());
    if (isStreamCall(context)) {
      endStreamCall(error, context);
      this.#ended.add(context.getArgByIndex<object>(0));
    }
    return new RpcException(error);
  }

  close(): void {
    this.#changes?.unsubscribe();
    this.#servers.close();
    this.#events.close();
  }

  #prepare(server: RpcServer, registrations: readonly Registration[]): (() => void)[] {
    return [this.#followCalls(server, registrations), ...this.#mend(server)];
  }

  #followCalls(server: RpcServer, registrations: readonly Registration[]): () => void {
    const { hasGuard, modules, reader } = this.parts;
    const isGrpc = server.transportId === this.rpc.Transport.GRPC;
    let handlerOf: ReturnType<typeof handlersInTurn> | undefined;
    return replaceMethod(server, 'addHandler', (add) => (pattern, callback, isEvent = false, ...rest) => {
      handlerOf ??= handlersInTurn(rpcHandlersOf(modules, reader), server.transportId);
      const handler = handlerOf(pattern);
      if (!handler) return add(pattern, callback, isEvent, ...rest);
      const registered: Registered = { pattern, callback, handler, isEvent, isGrpc, givesStream: false };
      if (hasGuard && !isEvent) registered.callback = this.#ending(callback, registered);
      const isGuarded = handler.isStatic && registrations.at(-1)?.hasAsked === true;
      if (hasGuard && !isGuarded) registered.callback = this.#guarding(registered, registrations);
      const counts = counting(registered, this.parts);
      this.#registered.set(counts, registered);
      return add(pattern, counts, isEvent, ...rest);
    });
  }

  #guarding(registered: Registered, registrations: readonly Registration[]): RpcCallback {
    const { isStatic } = registered.handler;
    // For a handler that is made for each request, Nest asks later: what it did for the others of the server tells.
    const isNeeded = (): boolean => isStatic || !registrations.some(({ hasAsked }) => hasAsked);
    return guardCalls(registered, isNeeded, {
      policy: this.parts.policy,
      RpcException: this.rpc.RpcException,
      errorFor: (refusal, context) => this.errorFor(refusal, context),
      hasEnded: (call) => this.#ended.has(call as object),
    });
  }

  // What a handler sends on and on goes past the guard once it has begun.
  #ending(callback: RpcCallback, registered: Registered): RpcCallback {
    const { handler, isGrpc } = registered;
    return async (...args) => {
      const result = await callback(...args);
      if (!isObservable(result)) return result;
      const errorOf = (refusal: Refusal): unknown => (isGrpc ? grpcErrorOf(refusal, args) : refusedCall(refusal));
      return untilRefused(result, handler.rules, this.parts, { errorOf, isStream: registered.givesStream });
    };
  }

  #noteStreams(server: RpcServer): () => void {
    return replaceMethod(server, 'createServiceMethod', (create) => (handler, definition, streaming) => {
      const registered = this.#registered.get(handler);
      if (registered) registered.givesStream = definition.responseStream === true;
      return create!(handler, definition, streaming);
    });
  }

  #mend(server: RpcServer): (() => void)[] {
    const { Transport } = this.rpc;
    switch (server.transportId) {
      case Transport.GRPC:
        return [this.#mendStreamCalls(server), this.#noteStreams(server)];
      case Transport.RMQ:
        return server.noAck === false ? [this.#noteChannels(server)] : [];
      case Transport.KAFKA:
        return [this.#mendEvents(server)];
      default:
        return [];
    }
  }

  // Nest has nobody who listens to what `@GrpcStreamCall()` throws: it would end the process.
  #mendStreamCalls(server: RpcServer): () => void {
    return replaceMethod(server, 'addHandler', (add) => (pattern, callback, ...rest) => {
      if (!isStreamCallPattern(pattern)) return add(pattern, callback, ...rest);
      const mended = async (...args: unknown[]): Promise<unknown> => {
        const result = await callback(...args);
        return this.#ended.has(args[0] as object) ? undefined : result;
      };
      return add(pattern, mended, ...rest);
    });
  }

  #noteChannels(server: RpcServer): () => void {
    return replaceMethod(server, 'handleMessage', (handle) => (message, channel) => {
      this.#events.noteManual(channel);
      return handle!(message, channel);
    });
  }

  // The guard can only throw, which brings an event back, and Nest throws something else instead.
  #mendEvents(server: RpcServer): () => void {
    return replaceMethod(server, 'handleEvent', (handle) => async (pattern, packet, context) => {
      try {
        return await handle!(pattern, packet, context);
      } catch (error) {
        if (this.#events.isDone(context)) return undefined;
        throw this.#events.isResting(context) ? await fetchAnew(error) : error;
      }
    });
  }

  #warn(server: RpcServer, registrations: readonly Registration[]): void {
    // Without a global guard, whoever names the guard on a handler has it there in any case.
    if (!this.parts.hasGuard || this.parts.microservices.events !== 'redeliver') return;
    const handlers = rpcHandlersOf(this.parts.modules, this.parts.reader);
    warnOfLostEvents(server, registrations, handlers, this.rpc.Transport);
  }
}
