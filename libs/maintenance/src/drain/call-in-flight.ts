import { finalize, first, isObservable, Observable, Subject, takeUntil, tap } from 'rxjs';
import type { MonitorSnapshot } from '../core/state-monitor.js';
import type { MaintenancePolicy } from '../policy/maintenance-policy.js';
import type { InFlightEntry, InFlightTracker, InFlightWork } from './in-flight-tracker.js';

/** A handler of messages, events or operations whose calls are tracked. */
export interface TrackedHandler {
  /** The name for reports. Never contains values that the caller sent. */
  readonly name: string;
  /** Whether the handler has no caller that reads its results, so that all of them are work: an event handler. */
  readonly isTask?: boolean;
  /** Whether a window that has started since `before` refuses the handler's calls. */
  becameRefusedSince(before: MonitorSnapshot): boolean;
}

/** A call of a handler, from its arrival until the handler has given all of its results. */
export class CallInFlight implements InFlightWork {
  /** @param isStream - whether the call is known to last until the caller ends it, before it has given any value */
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

/** The dependencies of {@link trackCall}. */
export interface CallTrackingDeps {
  inFlight: InFlightTracker;
  policy: Pick<MaintenancePolicy, 'isInactive'>;
  /** Emits when the status changes. */
  changes: Observable<unknown>;
}

/**
 * Tracks a call while its handler is at work. The guards are part of that: a call that one of them has admitted may
 * wait for the next one when a window starts.
 *
 * @param run - calls the handler
 * @returns the result of `run`; an Observable is tracked until it is over
 */
export async function trackCall(call: CallInFlight, deps: CallTrackingDeps, run: () => unknown): Promise<unknown> {
  const entry = deps.inFlight.begin(call);
  let isOpen = false;
  try {
    const result = await run();
    isOpen = isObservable(result);
    return isObservable(result) ? trackStream(result, call, entry, deps) : result;
  } finally {
    if (!isOpen) deps.inFlight.end(entry);
  }
}

/**
 * Tracks an Observable until it is over. Nest's interceptors turn every result into an Observable, so that a slow
 * handler and a quiet stream look the same until the first value: both count as work. After its first value, an
 * Observable is a stream.
 */
function trackStream<T>(
  source: Observable<T>,
  call: CallInFlight,
  entry: InFlightEntry,
  deps: CallTrackingDeps,
): Observable<T> {
  const { inFlight, policy, changes } = deps;
  const end = (): void => inFlight.end(entry);
  // Nest subscribes at once, except when the client is gone by then. The handler does not run then.
  const unused = setImmediate(end);
  return new Observable<T>((subscriber) => {
    clearImmediate(unused);
    const detached = new Subject<unknown>();
    let state: 'subscribed' | 'detached' | 'over' = 'subscribed';
    subscriber.add(() => {
      if (state === 'over') return;
      state = 'detached';
      // A window that starts closes sockets, and Nest unsubscribes. A promise behind the Observable is still at work
      // then: this subscription is kept alive until the first value, or until maintenance is off.
      if (call.isStream || policy.isInactive) detached.next(null);
      else changes.pipe(first(() => policy.isInactive, null)).subscribe(detached);
    });
    const onValue = (): void => {
      if (state === 'detached') detached.next(null);
      if (call.isStream || call.isTask) return;
      call.isStream = true;
      // Usually it was the only value, and the Observable completes in the same turn.
      queueMicrotask(() => inFlight.markAsStream(entry));
    };
    source.pipe(takeUntil(detached), tap(onValue), finalize(end)).subscribe({
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
