import { CallInFlight, counted, type Callee } from '../../drain/call-in-flight.js';
import type { TransportParts } from '../transport-parts.js';
import { followStreamCall, isStreamCallPattern, type GrpcPattern } from './grpc-calls.js';
import type { RpcHandler } from './rpc-handlers.js';
import { keepNext, type RpcCallback } from './rpc-server.js';

/** A handler that Nest gives to a server. */
export interface Registered {
  pattern: unknown;
  callback: RpcCallback;
  handler: RpcHandler;
  isEvent: boolean;
  isGrpc: boolean;
  /** Whether callers ask for a stream. Only gRPC knows, and not before the server starts. */
  givesStream: boolean;
}

type Parts = Pick<TransportParts, 'inFlight' | 'policy' | 'changes'>;

/** The same handler, whose calls count while they are under way. */
export function counting(registered: Registered, parts: Parts): RpcCallback {
  const { callback, isGrpc, pattern } = registered;
  const callee = calleeOf(registered, parts);
  if (isGrpc && isStreamCallPattern(pattern)) return countingStreamCalls(registered, callee, parts);
  const counts: RpcCallback = (...args) =>
    counted(new CallInFlight(callee, registered.givesStream), parts, () => callback(...args));
  return keepNext(counts, callback);
}

function countingStreamCalls(registered: Registered, callee: Callee, { inFlight }: Parts): RpcCallback {
  return async (...args) => {
    const begun = inFlight.begin(new CallInFlight(callee, registered.givesStream));
    const over = (): void => inFlight.end(begun);
    try {
      return await registered.callback(...followStreamCall(args, over));
    } catch (error) {
      over();
      throw error;
    }
  };
}

function calleeOf(registered: Registered, { policy }: Parts): Callee {
  const { handler, isEvent } = registered;
  const visit = { rules: handler.rules, request: null, context: null };
  return {
    name: nameOf(registered),
    isTask: isEvent,
    isClosedSince: (before) => policy.closesSince(visit, before),
  };
}

function nameOf({ pattern, isEvent, isGrpc }: Registered): string {
  if (isGrpc) return `grpc ${(pattern as GrpcPattern).service}.${(pattern as GrpcPattern).rpc}`;
  return `${isEvent ? 'event' : 'message'} ${typeof pattern === 'string' ? pattern : JSON.stringify(pattern)}`;
}
