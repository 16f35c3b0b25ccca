import type { ExecutionContext } from '@nestjs/common';
import type { RpcException } from '@nestjs/microservices';
import { concat, from, isObservable, mergeMap, of, throwError, type Observable } from 'rxjs';
import type { Refusal } from '../../policy/refusal.js';
import { HandlerContext } from '../handler-context.js';
import type { TransportDeps } from '../transport-deps.interface.js';
import type { RegisteredHandler } from './rpc-calls.js';
import { keepNextHandler, type RpcCallback } from './rpc-server.js';

export interface GuardCallsDeps extends Pick<TransportDeps, 'policy'> {
  RpcException: typeof RpcException;
  createError: (refusal: Refusal, context: ExecutionContext) => unknown;
  /** Whether a call of gRPC has got its error already. */
  hasEnded: (call: unknown) => boolean;
}

/**
 * Decides on calls before Nest takes them, where no global guard of the application does: Nest gives a microservice that is connected
 * without `inheritAppConfig` a configuration of its own.
 *
 * @param isNeeded - asked at each call
 */
export function guardCalls(registered: RegisteredHandler, isNeeded: () => boolean, parts: GuardCallsDeps): RpcCallback {
  const { callback, handler, isEvent } = registered;
  const { policy, RpcException, createError: errorFor, hasEnded } = parts;
  const { rules } = handler;
  const guarded: RpcCallback = async (...args) => {
    if (!isNeeded() || (rules.override !== 'refuse' && policy.isIdle)) return callback(...args);
    // Before the data of an event, a handler that is made for each request hands its request on to the next handler.
    const context = new HandlerContext('rpc', handler, isEvent ? args.slice(-2) : args);
    const decision = await policy.decide({ rules, request: null, context });
    if (typeof decision !== 'object') return callback(...args);
    const error = await errorFor(decision, context);
    if (hasEnded(args[0])) return undefined;
    // As Nest's own filter does it.
    const refused = throwError(() => (error instanceof RpcException ? error.getError() : error));
    return callback.next ? concat(toObservable(callback.next(...args)), refused) : refused;
  };
  return keepNextHandler(guarded, callback);
}

function toObservable(result: unknown): Observable<unknown> {
  return from(Promise.resolve(result)).pipe(mergeMap((value) => (isObservable(value) ? value : of(value))));
}
