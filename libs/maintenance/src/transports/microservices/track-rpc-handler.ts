import { CallInFlight, trackCall, type TrackedHandler } from '../../drain/call-in-flight.js';
import type { TransportDeps } from '../transport-deps.interface.js';
import { trackStreamCall, isStreamCallPattern, type GrpcPattern } from './grpc-calls.js';
import type { RpcHandler } from './rpc-handlers.js';
import type { RpcCallback } from './rpc-server.interface.js';

/** A handler that Nest adds to a server. */
export interface RegisteredHandler {
  pattern: unknown;
  callback: RpcCallback;
  handler: RpcHandler;
  isEvent: boolean;
  isGrpc: boolean;
  /** Whether callers ask for a stream. Known only for gRPC, and only after the server has started. */
  isStream: boolean;
}

type TrackingDeps = Pick<TransportDeps, 'inFlight' | 'policy' | 'changes'>;

/** Wraps a handler, so that its calls count as in flight. */
export function trackRpcHandler(registered: RegisteredHandler, deps: TrackingDeps): RpcCallback {
  const { callback, isGrpc, pattern } = registered;
  const trackedHandler = createTrackedHandler(registered, deps);
  if (isGrpc && isStreamCallPattern(pattern)) return trackStreamCallHandler(registered, trackedHandler, deps);
  const trackedCallback: RpcCallback = (...args) =>
    trackCall(new CallInFlight(trackedHandler, registered.isStream), deps, () => callback(...args));
  return keepNextHandler(trackedCallback, callback);
}

/**
 * Makes a replaced handler share `next` with the original: Nest sets the next handler of an event on the handler that
 * the server has, but reads it from the handler that Nest has created.
 *
 * @returns `replacement`
 */
export function keepNextHandler(replacement: RpcCallback, original: RpcCallback): RpcCallback {
  return Object.defineProperty(replacement, 'next', {
    get: () => original.next,
    set: (next: RpcCallback) => (original.next = next),
  });
}

function trackStreamCallHandler(
  registered: RegisteredHandler,
  trackedHandler: TrackedHandler,
  { inFlight }: TrackingDeps,
): RpcCallback {
  return async (...args) => {
    const entry = inFlight.begin(new CallInFlight(trackedHandler, registered.isStream));
    const end = (): void => inFlight.end(entry);
    try {
      return await registered.callback(...trackStreamCall(args, end));
    } catch (error) {
      end();
      throw error;
    }
  };
}

function createTrackedHandler(registered: RegisteredHandler, { policy }: TrackingDeps): TrackedHandler {
  const { handler, isEvent } = registered;
  const input = { rules: handler.rules, request: null, context: null };
  return {
    name: formatHandlerName(registered),
    isTask: isEvent,
    becameRefusedSince: (before) => policy.becameRefusedSince(input, before),
  };
}

/** Formats the name of a handler for reports: `message sum`, `event order.created`, `grpc shop.Shop.Buy`. */
export function formatHandlerName({
  pattern,
  isEvent,
  isGrpc,
}: Pick<RegisteredHandler, 'pattern' | 'isEvent' | 'isGrpc'>): string {
  if (isGrpc) return `grpc ${(pattern as GrpcPattern).service}.${(pattern as GrpcPattern).rpc}`;
  return `${isEvent ? 'event' : 'message'} ${typeof pattern === 'string' ? pattern : JSON.stringify(pattern)}`;
}
