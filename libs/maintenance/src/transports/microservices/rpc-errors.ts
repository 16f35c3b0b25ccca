import type { ExecutionContext } from '@nestjs/common';
import type { RpcException } from '@nestjs/microservices';
import type { Refusal } from '../../policy/refusal.js';
import { refusedCall } from '../../http/refused-call.js';

/** UNAVAILABLE: "most likely a transient condition, which can be corrected by retrying with a backoff". */
const UNAVAILABLE = 14;
/** What is told in seconds, as in HTTP. */
const RETRY_AFTER = 'retry-after';

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
export function messageErrorOf(Exception: typeof RpcException, refusal: Refusal): RpcException {
  return new Exception(refusedCall(refusal));
}

/** What a client of gRPC gets. */
export function grpcErrorOf(refusal: Refusal, args: readonly unknown[]): GrpcError {
  const { message, retryAfter } = refusedCall(refusal);
  const [first, second] = args;
  // The class is that of the application's own copy of the package.
  const given = isCall(first) ? first.metadata : (second as Metadata);
  const metadata = new (given.constructor as new () => Metadata)();
  if (retryAfter !== null) metadata.set(RETRY_AFTER, String(retryAfter));
  return { code: UNAVAILABLE, message, details: message, metadata };
}

/** Whether the handler has `@GrpcStreamCall()`, and so the call itself instead of a message. */
export function isStreamCall(context: ExecutionContext): boolean {
  return isCall(context.getArgByIndex(0));
}

function isCall(value: unknown): value is GrpcCall {
  const { emit, metadata } = (value ?? {}) as Partial<GrpcCall>;
  return typeof emit === 'function' && metadata !== undefined;
}

/** Ends a call with the error. */
export function endStreamCall(error: GrpcError, context: ExecutionContext): void {
  const [call, callback] = context.getArgs<[GrpcCall, ((error: GrpcError) => void) | undefined]>();
  if (typeof callback === 'function') callback(error);
  else call.emit('error', error);
}
