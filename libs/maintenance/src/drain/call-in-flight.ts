import { finalize, first, isObservable, Observable, Subject, takeUntil, tap } from 'rxjs';
import type { InFlightEntry, InFlightWork } from './in-flight-tracker.js';
import type { MonitorSnapshot } from '../core/state-monitor.js';
import type { TransportDeps } from '../transports/transport-deps.interface.js';

/** A handler of calls, as far as it matters to those who wait for them. */
export interface TrackedHandler {
  /** For people, with nothing of the caller's in it. */
  readonly name: string;
  /** Whether nobody reads what it gives, so that all of it is work: a handler of events. */
  readonly isTask?: boolean;
  becameRefusedSince(before: MonitorSnapshot): boolean;
}

/** A call that has come, until all that its handler gives is there. */
export class CallInFlight implements InFlightWork {
  /** @param isStream - whether it is known to go on until somebody ends it, before it has given anything */
  constructor(
    private readonly handler: TrackedHandler,
    public isStream = false,
  ) {}

  get name(): string {
    return this.handler.name;
  }

  get isTask(): boolean {
    return this.handler.isTask === true;
  }

  becameRefusedSince(before: MonitorSnapshot): boolean {
    return this.handler.becameRefusedSince(before);
  }
}

type TrackingDeps = Pick<TransportDeps, 'inFlight' | 'policy' | 'changes'>;

/**
 * Counts a call while its handler is at work. It begins before the guards, since what one of them has admitted may wait for the next
 * one while a window opens.
 */
export async function trackCall(call: CallInFlight, parts: TrackingDeps, run: () => unknown): Promise<unknown> {
  const begun = parts.inFlight.begin(call);
  let goesOn = false;
  try {
    const result = await run();
    goesOn = isObservable(result);
    return isObservable(result) ? trackStream(result, call, begun, parts) : result;
  } finally {
    if (!goesOn) parts.inFlight.end(begun);
  }
}

/**
 * Counts on until an Observable is over. Interceptors make one of every answer, so before the first value nobody can tell the answer of
 * a slow handler from a stream that is quiet: it counts as work. What goes on after its first value is a stream.
 */
function trackStream<T>(
  source: Observable<T>,
  call: CallInFlight,
  begun: InFlightEntry,
  parts: TrackingDeps,
): Observable<T> {
  const { inFlight, policy, changes } = parts;
  const over = (): void => inFlight.end(begun);
  // Nest subscribes at once. Where the client has gone meanwhile nobody does, and the handler does not run.
  const unused = setImmediate(over);
  return new Observable<T>((subscriber) => {
    clearImmediate(unused);
    const left = new Subject<unknown>();
    let state: 'read' | 'left' | 'over' = 'read';
    subscriber.add(() => {
      if (state === 'over') return;
      state = 'left';
      // A window closes sockets, so that nobody reads any more. A promise behind the Observable goes on all the same, out of sight: this
      // one stays in the reader's place until the first value, or until no window waits.
      if (call.isStream || policy.isInactive) left.next(null);
      else changes.pipe(first(() => policy.isInactive, null)).subscribe(left);
    });
    const gave = (): void => {
      if (state === 'left') left.next(null);
      if (call.isStream || call.isTask) return;
      call.isStream = true;
      // Most often it was the only value, and the end comes with it.
      queueMicrotask(() => inFlight.markAsStream(begun));
    };
    source.pipe(takeUntil(left), tap(gave), finalize(over)).subscribe({
      next: (value) => subscriber.next(value),
      error: (error) => {
        state = 'over';
        subscriber.error(error);
      },
      complete: () => {
        state = 'over';
        subscriber.complete();
      },
    });
  });
}
