import type { ExecutionContext } from '@nestjs/common';
import { createRefusalPayload } from '../../http/refusal-payload.js';
import { formatModeHeader } from '../../http/refusal-headers.js';
import { STREAM_CALL_STREAMING } from '../../nest-internals.js';
import type { Refusal } from '../../policy/refusal.js';

/** UNAVAILABLE: "most likely a transient condition, which can be corrected by retrying with a backoff". */
const GRPC_UNAVAILABLE = 14;
/** The keys of the metadata, with the values that HTTP headers and `errorCode` have. */
const RETRY_AFTER_KEY = 'retry-after';
const MODE_KEY = 'maintenance-mode';
const ERROR_CODE_KEY = 'error-code';

/** The pattern under which Nest registers a method of gRPC. */
export interface GrpcPattern {
  service: string;
  rpc: string;
  streaming: string;
}

interface Metadata {
  set(key: string, value: string): void;
}

/** A call of gRPC, as a method with `@GrpcStreamCall()` receives it. */
export interface GrpcCall {
  metadata: Metadata;
  emit(event: 'error', error: GrpcError): unknown;
  once(event: 'finish' | 'cancelled', listener: () => void): unknown;
}

/** An error in the form of gRPC. */
export interface GrpcError {
  code: number;
  message: string;
  details: string;
  metadata: Metadata;
}

type GrpcCallback = (...args: unknown[]) => unknown;

/** Whether a pattern belongs to a method with `@GrpcStreamCall()`, which handles the call itself. */
export function isStreamCallPattern(pattern: unknown): boolean {
  return (pattern as Partial<GrpcPattern>).streaming === STREAM_CALL_STREAMING;
}

/** Whether the handler has `@GrpcStreamCall()`, so that it receives the call itself instead of a message. */
export function isStreamCall(context: ExecutionContext): boolean {
  return isGrpcCall(context.getArgByIndex(0));
}

/**
 * Follows a call that continues after its handler has returned, until it is answered or the client cancels it.
 *
 * @param args - the arguments of the handler: the call, and a callback if the method gives a single response
 * @param onEnd - called when the call ends, possibly several times
 * @returns the arguments to call the handler with
 */
export function trackStreamCall([call, callback, ...rest]: unknown[], onEnd: () => void): unknown[] {
  for (const event of ['finish', 'cancelled'] as const) (call as GrpcCall).once(event, onEnd);
  if (typeof callback !== 'function') return [call, callback, ...rest];
  const trackedCallback: GrpcCallback = (...args) => {
    onEnd();
    return (callback as GrpcCallback)(...args);
  };
  return [call, trackedCallback, ...rest];
}

/** Ends a call of a method with `@GrpcStreamCall()` with an error. */
export function endStreamCall(error: GrpcError, context: ExecutionContext): void {
  const [call, callback] = context.getArgs<[GrpcCall, ((error: GrpcError) => void) | undefined]>();
  if (typeof callback === 'function') callback(error);
  else call.emit('error', error);
}

/**
 * Creates the error that a client of gRPC receives.
 *
 * @param args - the arguments of the handler
 */
export function createGrpcError(refusal: Refusal, args: readonly unknown[]): GrpcError {
  const { message, errorCode, retryAfter } = createRefusalPayload(refusal);
  const [first, second] = args;
  // The class comes from the application's own copy of the gRPC package.
  const requestMetadata = isGrpcCall(first) ? first.metadata : (second as Metadata);
  const metadata = new (requestMetadata.constructor as new () => Metadata)();
  if (retryAfter !== null) metadata.set(RETRY_AFTER_KEY, String(retryAfter));
  metadata.set(MODE_KEY, formatModeHeader(refusal));
  metadata.set(ERROR_CODE_KEY, errorCode);
  return { code: GRPC_UNAVAILABLE, message, details: message, metadata };
}

function isGrpcCall(value: unknown): value is GrpcCall {
  const { emit, metadata } = (value ?? {}) as Partial<GrpcCall>;
  return typeof emit === 'function' && metadata !== undefined;
}
