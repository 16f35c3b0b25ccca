import { Observable, tap } from 'rxjs';
import type { HandlerRules } from '../../policy/handler-rules.js';
import type { Refusal } from '../../policy/refusal.js';
import { watchForRefusal } from '../watch-for-refusal.js';
import type { TransportDeps } from '../transport-deps.interface.js';

interface EndWhenRefusedOptions {
  /** Creates the error that the caller receives, in the form that the transport sends. */
  createError: (refusal: Refusal) => unknown;
  /** Whether the caller asked for a stream, so that it may end before its first value. */
  isStream: boolean;
}

/**
 * Ends a stream of responses with an error as soon as a window refuses new calls of the handler.
 *
 * Interceptors make an Observable of every response, and an admitted call with a single response must not fail. A
 * stream can therefore end only after its first value, unless it is known to be a stream.
 */
export function endWhenRefused<T>(
  stream: Observable<T>,
  rules: HandlerRules,
  deps: Pick<TransportDeps, 'changes' | 'policy'>,
  { createError, isStream }: EndWhenRefusedOptions,
): Observable<T> {
  if (rules.override !== null) return stream;
  return new Observable((subscriber) => {
    let isWatched = false;
    const watch = (): void => {
      if (isWatched) return;
      isWatched = true;
      const input = { rules, request: null, context: null };
      subscriber.add(watchForRefusal(deps, input).subscribe((refusal) => subscriber.error(createError(refusal))));
    };
    if (isStream) watch();
    if (!subscriber.closed) subscriber.add(stream.pipe(tap(watch)).subscribe(subscriber));
  });
}
