import { Observable } from 'rxjs';
import type { HandlerRules } from '../../policy/handler-rules.js';
import type { Refusal } from '../../policy/refusal.js';
import { firstRefusal } from '../first-refusal.js';
import type { TransportParts } from '../transport-parts.js';

/**
 * What a handler sends on and on, until it is closed: then it fails as a new call would.
 *
 * @param errorOf - what the caller gets, in the form in which the transport sends it
 */
export function untilRefused<T>(
  stream: Observable<T>,
  rules: HandlerRules,
  parts: Pick<TransportParts, 'changes' | 'policy'>,
  errorOf: (refusal: Refusal) => unknown,
): Observable<T> {
  if (rules.verdict !== null) return stream;
  return new Observable((subscriber) => {
    const visit = { rules, request: null, context: null };
    const refused = firstRefusal(parts, visit).subscribe((refusal) => subscriber.error(errorOf(refusal)));
    subscriber.add(refused);
    if (!subscriber.closed) subscriber.add(stream.subscribe(subscriber));
  });
}
