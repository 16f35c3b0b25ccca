import type { ExecutionContext } from '@nestjs/common';
import type { RpcException } from '@nestjs/microservices';
import { concat, from, isObservable, mergeMap, of, throwError, type Observable } from 'rxjs';
import type { Refusal } from '../../policy/refusal.js';
import { HandlerContext } from '../handler-context.js';
import type { TransportDeps } from '../transport-deps.interface.js';
import type { RpcCallback } from './rpc-server.interface.js';
import { keepNextHandler, type RegisteredHandler } from './track-rpc-handler.js';

/** The dependencies of {@link guardCalls}. */
export interface GuardCallsDeps extends Pick<TransportDeps, 'policy'> {
  RpcException: typeof RpcException;
  /** Creates the error that the caller receives. */
  createError: (refusal: Refusal, context: ExecutionContext) => unknown;
  /** Whether a call of gRPC has already received its error. */
  hasEnded: (call: unknown) => boolean;
}

/**
 * Decides on calls before Nest handles them, if the global guard of the application does not run for them: a
 * microservice that is connected without `inheritAppConfig` has a configuration of its own.
 *
 * @param isNeeded - called for each call; `false` if the global guard decides
 */
export function guardCalls(registered: RegisteredHandler, isNeeded: () => boolean, deps: GuardCallsDeps): RpcCallback {
  const { callback, handler, isEvent } = registered;
  const { policy, RpcException, createError, hasEnded } = deps;
  const { rules } = handler;
  const guarded: RpcCallback = async (...args) => {
    if (!isNeeded() || (rules.override !== 'refuse' && policy.isIdle)) return callback(...args);
    // A request-scoped handler of an event passes its request on to the next handler, as an argument before the data.
    const context = new HandlerContext('rpc', handler, isEvent ? args.slice(-2) : args);
    const decision = await policy.decide({ rules, request: null, context });
    if (typeof decision !== 'object') return callback(...args);
    const error = await createError(decision, context);
    if (hasEnded(args[0])) return undefined;
    // Unwrapped as Nest's own exception filter does.
    const failure = throwError(() => (error instanceof RpcException ? error.getError() : error));
    return callback.next ? concat(toObservable(callback.next(...args)), failure) : failure;
  };
  return keepNextHandler(guarded, callback);
}

function toObservable(result: unknown): Observable<unknown> {
  return from(Promise.resolve(result)).pipe(mergeMap((value) => (isObservable(value) ? value : of(value))));
}
