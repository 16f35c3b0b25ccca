import type { ExecutionContext } from '@nestjs/common';
import type { RpcException } from '@nestjs/microservices';
import type { Refusal } from '../../policy/refusal.js';
import { createRefusalPayload } from '../../http/refusal-payload.js';

/** UNAVAILABLE: "most likely a transient condition, which can be corrected by retrying with a backoff". */
const GRPC_UNAVAILABLE = 14;
/** What is told in seconds, as in HTTP. */
const RETRY_AFTER_METADATA_KEY = 'retry-after';

interface Metadata {
  set(key: string, value: string): void;
}

/** A call of gRPC as a method with `@GrpcStreamCall()` gets it. */
export interface GrpcCall {
  metadata: Metadata;
  emit(event: 'error', error: GrpcError): unknown;
}

export interface GrpcError {
  code: number;
  message: string;
  details: string;
  metadata: Metadata;
}

/** What a client gets that sent a message and waits for the answer. */
export function createMessageError(Exception: typeof RpcException, refusal: Refusal): RpcException {
  return new Exception(createRefusalPayload(refusal));
}

/** What a client of gRPC gets. */
export function createGrpcError(refusal: Refusal, args: readonly unknown[]): GrpcError {
  const { message, retryAfter } = createRefusalPayload(refusal);
  const [first, second] = args;
  // The class is that of the application's own copy of the package.
  const given = isGrpcCall(first) ? first.metadata : (second as Metadata);
  const metadata = new (given.constructor as new () => Metadata)();
  if (retryAfter !== null) metadata.set(RETRY_AFTER_METADATA_KEY, String(retryAfter));
  return { code: GRPC_UNAVAILABLE, message, details: message, metadata };
}

/** Whether the handler has `@GrpcStreamCall()`, and so the call itself instead of a message. */
export function isStreamCall(context: ExecutionContext): boolean {
  return isGrpcCall(context.getArgByIndex(0));
}

function isGrpcCall(value: unknown): value is GrpcCall {
  const { emit, metadata } = (value ?? {}) as Partial<GrpcCall>;
  return typeof emit === 'function' && metadata !== undefined;
}

/** Ends a call with the error. */
export function endStreamCall(error: GrpcError, context: ExecutionContext): void {
  const [call, callback] = context.getArgs<[GrpcCall, ((error: GrpcError) => void) | undefined]>();
  if (typeof callback === 'function') callback(error);
  else call.emit('error', error);
}
