import { filter, from, map, startWith, switchMap, take, type Observable } from 'rxjs';
import type { PolicyInput } from '../policy/maintenance-policy.js';
import type { Refusal } from '../policy/refusal.js';
import type { TransportDeps } from './transport-deps.interface.js';

/** The first moment from now on at which a visit would be refused: what was admitted and goes on is to end then. */
export function watchForRefusal(
  { changes, policy }: Pick<TransportDeps, 'changes' | 'policy'>,
  visit: PolicyInput,
): Observable<Refusal> {
  return changes.pipe(
    // It may have begun since the guard has decided.
    startWith(null),
    filter(() => !policy.isInactive),
    switchMap(() => from(Promise.resolve(policy.decide(visit)))),
    filter((decision) => typeof decision === 'object'),
    map((decision) => decision),
    take(1),
  );
}
