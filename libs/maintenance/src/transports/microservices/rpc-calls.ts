import { CallInFlight, trackCall, type TrackedHandler } from '../../drain/call-in-flight.js';
import type { TransportDeps } from '../transport-deps.interface.js';
import { trackStreamCall, isStreamCallPattern, type GrpcPattern } from './grpc-calls.js';
import type { RpcHandler } from './rpc-handlers.js';
import { keepNextHandler, type RpcCallback } from './rpc-server.js';

/** A handler that Nest gives to a server. */
export interface RegisteredHandler {
  pattern: unknown;
  callback: RpcCallback;
  handler: RpcHandler;
  isEvent: boolean;
  isGrpc: boolean;
  /** Whether callers ask for a stream. Only gRPC knows, and not before the server starts. */
  isStream: boolean;
}

type TrackingDeps = Pick<TransportDeps, 'inFlight' | 'policy' | 'changes'>;

/** The same handler, whose calls count while they are under way. */
export function trackRpcHandler(registered: RegisteredHandler, parts: TrackingDeps): RpcCallback {
  const { callback, isGrpc, pattern } = registered;
  const callee = createTrackedHandler(registered, parts);
  if (isGrpc && isStreamCallPattern(pattern)) return trackStreamCallHandler(registered, callee, parts);
  const counts: RpcCallback = (...args) =>
    trackCall(new CallInFlight(callee, registered.isStream), parts, () => callback(...args));
  return keepNextHandler(counts, callback);
}

function trackStreamCallHandler(
  registered: RegisteredHandler,
  callee: TrackedHandler,
  { inFlight }: TrackingDeps,
): RpcCallback {
  return async (...args) => {
    const begun = inFlight.begin(new CallInFlight(callee, registered.isStream));
    const over = (): void => inFlight.end(begun);
    try {
      return await registered.callback(...trackStreamCall(args, over));
    } catch (error) {
      over();
      throw error;
    }
  };
}

function createTrackedHandler(registered: RegisteredHandler, { policy }: TrackingDeps): TrackedHandler {
  const { handler, isEvent } = registered;
  const visit = { rules: handler.rules, request: null, context: null };
  return {
    name: getHandlerName(registered),
    isTask: isEvent,
    becameRefusedSince: (before) => policy.becameRefusedSince(visit, before),
  };
}

function getHandlerName({ pattern, isEvent, isGrpc }: RegisteredHandler): string {
  if (isGrpc) return `grpc ${(pattern as GrpcPattern).service}.${(pattern as GrpcPattern).rpc}`;
  return `${isEvent ? 'event' : 'message'} ${typeof pattern === 'string' ? pattern : JSON.stringify(pattern)}`;
}
