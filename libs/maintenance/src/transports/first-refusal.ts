import { filter, from, map, startWith, switchMap, take, type Observable } from 'rxjs';
import type { Visit } from '../policy/maintenance-policy.js';
import type { Refusal } from '../policy/refusal.js';
import type { TransportParts } from './transport-parts.js';

/** The first moment from now on at which a visit would be refused: what was admitted and goes on is to end then. */
export function firstRefusal(
  { changes, policy }: Pick<TransportParts, 'changes' | 'policy'>,
  visit: Visit,
): Observable<Refusal> {
  return changes.pipe(
    // It may have begun since the guard has decided.
    startWith(null),
    filter(() => !policy.isOpen),
    switchMap(() => from(Promise.resolve(policy.decide(visit)))),
    filter((decision) => typeof decision === 'object'),
    map((decision) => decision),
    take(1),
  );
}
