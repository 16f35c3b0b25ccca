import { IntrinsicException } from '@nestjs/common';
import type { Refusal } from '../../policy/refusal.js';
import { createRefusalPayload, type RefusalPayload } from '../../http/refusal-payload.js';

/** The `extensions` of the error. */
export type RefusalExtensions = Omit<RefusalPayload, 'status' | 'message'>;

/** An error in a GraphQL response. */
export interface RefusalError {
  message: string;
  extensions: RefusalExtensions;
}

/** Creates the error that a client gets for a refused operation. */
export function createRefusalError(refusal: Refusal): RefusalError {
  const { status: _, message, ...extensions } = createRefusalPayload(refusal);
  return { message, extensions };
}

/**
 * Thrown by the guard. GraphQL copies the extensions of any error. Nest does not log an intrinsic exception, and
 * replaces the code of an `HttpException`.
 */
export class RefusedOperationError extends IntrinsicException {
  readonly extensions: RefusalExtensions;

  constructor(refusal: Refusal) {
    const { message, extensions } = createRefusalError(refusal);
    super(message);
    this.extensions = extensions;
  }
}
