import type { ExecutionContext } from '@nestjs/common';
import type { RpcException } from '@nestjs/microservices';
import { concat, from, isObservable, mergeMap, of, throwError, type Observable } from 'rxjs';
import type { Refusal } from '../../policy/refusal.js';
import { HandlerContext } from '../handler-context.js';
import type { TransportParts } from '../transport-parts.js';
import type { Registered } from './rpc-calls.js';
import { keepNext, type RpcCallback } from './rpc-server.js';

export interface GuardedCallsDeps extends Pick<TransportParts, 'policy'> {
  RpcException: typeof RpcException;
  errorFor: (refusal: Refusal, context: ExecutionContext) => unknown;
  /** Whether a call of gRPC has got its error already. */
  hasEnded: (call: unknown) => boolean;
}

/**
 * Decides on calls before Nest takes them, where no global guard of the application does: Nest gives a microservice that is connected
 * without `inheritAppConfig` a configuration of its own.
 *
 * @param isNeeded - asked at each call
 */
export function guardCalls(registered: Registered, isNeeded: () => boolean, parts: GuardedCallsDeps): RpcCallback {
  const { callback, handler, isEvent } = registered;
  const { policy, RpcException, errorFor, hasEnded } = parts;
  const { rules } = handler;
  const guarded: RpcCallback = async (...args) => {
    if (!isNeeded() || (rules.verdict !== 'refuse' && policy.isIdle)) return callback(...args);
    // Before the data of an event, a handler that is made for each request hands its request on to the next handler.
    const context = new HandlerContext('rpc', handler, isEvent ? args.slice(-2) : args);
    const decision = await policy.decide({ rules, request: null, context });
    if (typeof decision !== 'object') return callback(...args);
    const error = await errorFor(decision, context);
    if (hasEnded(args[0])) return undefined;
    // As Nest's own filter does it.
    const refused = throwError(() => (error instanceof RpcException ? error.getError() : error));
    return callback.next ? concat(observe(callback.next(...args)), refused) : refused;
  };
  return keepNext(guarded, callback);
}

function observe(result: unknown): Observable<unknown> {
  return from(Promise.resolve(result)).pipe(mergeMap((value) => (isObservable(value) ? value : of(value))));
}
