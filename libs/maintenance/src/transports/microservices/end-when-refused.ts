import { Observable, tap } from 'rxjs';
import type { HandlerRules } from '../../policy/handler-rules.js';
import type { Refusal } from '../../policy/refusal.js';
import { watchForRefusal } from '../watch-for-refusal.js';
import type { TransportDeps } from '../transport-deps.interface.js';

interface EndWhenRefusedOptions {
  /** What the caller gets, in the form in which the transport sends it. */
  createError: (refusal: Refusal) => unknown;
  /** Whether the caller asked for a stream, so that it may be ended before it has given anything. */
  isStream: boolean;
}

/**
 * What a handler sends on and on, until it is closed: then it fails as a new call would. Interceptors make an Observable of every
 * answer, and one that was admitted is not to fail: so there is nothing to end before the first value, unless it is known for a stream.
 */
export function endWhenRefused<T>(
  stream: Observable<T>,
  rules: HandlerRules,
  parts: Pick<TransportDeps, 'changes' | 'policy'>,
  { createError: errorOf, isStream }: EndWhenRefusedOptions,
): Observable<T> {
  if (rules.override !== null) return stream;
  return new Observable((subscriber) => {
    let isWatched = false;
    const watch = (): void => {
      if (isWatched) return;
      isWatched = true;
      const visit = { rules, request: null, context: null };
      subscriber.add(watchForRefusal(parts, visit).subscribe((refusal) => subscriber.error(errorOf(refusal))));
    };
    if (isStream) watch();
    if (!subscriber.closed) subscriber.add(stream.pipe(tap(watch)).subscribe(subscriber));
  });
}
