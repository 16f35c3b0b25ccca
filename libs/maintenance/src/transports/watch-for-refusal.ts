import { filter, from, map, startWith, switchMap, take, type Observable } from 'rxjs';
import type { PolicyInput } from '../policy/maintenance-policy.js';
import type { Refusal } from '../policy/refusal.js';
import type { TransportDeps } from './transport-deps.interface.js';

/** Emits the refusal once a window refuses a call that was admitted, such as a stream, which has to end then. */
export function watchForRefusal(
  { changes, policy }: Pick<TransportDeps, 'changes' | 'policy'>,
  call: PolicyInput,
): Observable<Refusal> {
  return changes.pipe(
    // A window may have started since the guard has decided.
    startWith(null),
    filter(() => !policy.isInactive),
    switchMap(() => from(Promise.resolve(policy.decide(call)))),
    filter((decision) => typeof decision === 'object'),
    map((decision) => decision),
    take(1),
  );
}
