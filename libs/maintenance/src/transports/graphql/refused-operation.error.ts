import { IntrinsicException } from '@nestjs/common';
import type { Refusal } from '../../policy/refusal.js';
import { createRefusalPayload, type RefusalPayload } from '../../http/refusal-payload.js';

/** What a client finds in `extensions` of the error. */
export type RefusalExtensions = Omit<RefusalPayload, 'status' | 'message'>;

/** An error as GraphQL writes it. */
export interface RefusalError {
  message: string;
  extensions: RefusalExtensions;
}

export function createRefusalError(refusal: Refusal): RefusalError {
  const { code, message, retryAfter, startsAt, endsAt, scope, mode } = createRefusalPayload(refusal);
  return { message, extensions: { code, retryAfter, startsAt, endsAt, scope, mode } };
}

/**
 * What the guard throws. GraphQL takes over the extensions of any error; Nest logs all but intrinsic exceptions, and would replace
 * the code of one that looks like HTTP.
 */
export class RefusedOperationError extends IntrinsicException {
  readonly extensions: RefusalExtensions;

  constructor(refusal: Refusal) {
    const { message, extensions } = createRefusalError(refusal);
    super(message);
    this.extensions = extensions;
  }
}
