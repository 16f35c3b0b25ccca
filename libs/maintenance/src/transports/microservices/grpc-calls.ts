import { STREAM_CALL_STREAMING } from '../../nest-internals.js';

/** What Nest registers a method of gRPC by. */
export interface GrpcPattern {
  service: string;
  rpc: string;
  streaming: string;
}

interface Emitter {
  once(event: string, listener: () => void): unknown;
}

type GrpcCallback = (...args: unknown[]) => unknown;

/** Whether the handler has `@GrpcStreamCall()`, and deals with the call itself. */
export function isStreamCallPattern(pattern: unknown): boolean {
  return (pattern as Partial<GrpcPattern>).streaming === STREAM_CALL_STREAMING;
}

/**
 * Follows a call that goes on after its handler has returned, until it is answered or the client has gone.
 *
 * @param args - what the handler gets: the call, and where it gives one answer, what takes that
 * @returns the arguments to go on with
 */
export function trackStreamCall([call, answer, ...rest]: unknown[], over: () => void): unknown[] {
  for (const event of ['finish', 'cancelled']) (call as Emitter).once(event, over);
  if (typeof answer !== 'function') return [call, answer, ...rest];
  const answered: GrpcCallback = (...args) => {
    over();
    return (answer as GrpcCallback)(...args);
  };
  return [call, answered, ...rest];
}
