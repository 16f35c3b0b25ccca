import { IntrinsicException } from '@nestjs/common';
import type { Refusal } from '../../policy/refusal.js';
import { refusedCall, type RefusedCall } from '../../http/refused-call.js';

/** What a client finds in `extensions` of the error. */
export type RefusedExtensions = Omit<RefusedCall, 'status' | 'message'>;

/** An error as GraphQL writes it. */
export interface RefusedError {
  message: string;
  extensions: RefusedExtensions;
}

export function refusedError(refusal: Refusal): RefusedError {
  const { code, message, retryAfter, startsAt, endsAt, scope, mode } = refusedCall(refusal);
  return { message, extensions: { code, retryAfter, startsAt, endsAt, scope, mode } };
}

/**
 * What the guard throws. GraphQL takes over the extensions of any error; Nest logs all but intrinsic exceptions, and would replace
 * the code of one that looks like HTTP.
 */
export class RefusedOperation extends IntrinsicException {
  readonly extensions: RefusedExtensions;

  constructor(refusal: Refusal) {
    const { message, extensions } = refusedError(refusal);
    super(message);
    this.extensions = extensions;
  }
}
