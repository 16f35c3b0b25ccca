import { RUN_METADATA } from '../maintenance.constants.js';
import type { HandlerRules } from '../policy/handler-rules.js';
import type { Class, Method } from '../utils/discovery.js';
import type { BackgroundDeps } from './background-deps.js';

/** Runs one kind of background work, and knows whether it is paused: a scheduled method, a processor of a queue. */
export class BackgroundTask {
  readonly #rules: HandlerRules;

  /**
   * @param type - the class that the work belongs to
   * @param method - the method of the class that does the work
   */
  constructor(
    private readonly deps: Pick<BackgroundDeps, 'policy' | 'reader' | 'inFlight'>,
    type: Class,
    method: Method,
  ) {
    this.#rules = deps.reader.getRules(type, method);
  }

  /** Whether a full window covers the work now. */
  get isPaused(): boolean {
    return this.deps.policy.shouldPause(this.#rules);
  }

  /** Waits until {@link isPaused} is based on a fresh state. Returns `null` if it already is. */
  awaitFresh(): Promise<void> | null {
    return this.deps.policy.awaitFresh();
  }

  /**
   * Runs the work, which counts as in flight until its promise settles.
   *
   * @param name - the name under which instances report it, such as `cron ReportsService.nightly`
   */
  async run<T>(name: string, work: () => T): Promise<Awaited<T>> {
    const { policy, inFlight } = this.deps;
    const entry = inFlight.begin({
      name,
      isStream: false,
      becameRefusedSince: (before) => policy.becamePausedSince(this.#rules, before),
    });
    try {
      return await work();
    } finally {
      inFlight.end(entry);
    }
  }
}

/** Whether `@RunInMaintenance()` exempts a method. */
export function shouldRunInMaintenance(type: Class, method: Method): boolean {
  return (Reflect.getMetadata(RUN_METADATA, method) ?? Reflect.getMetadata(RUN_METADATA, type)) === true;
}
