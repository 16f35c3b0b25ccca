import { RUN_METADATA } from '../maintenance.constants.js';
import type { HandlerRules } from '../policy/handler-rules.js';
import type { BackgroundDeps } from './background.interfaces.js';

type Class = abstract new (...args: never[]) => unknown;
type Handler = (...args: never[]) => unknown;

/** Where a piece of background work comes by each time it is due. */
export class BackgroundTask {
  readonly #rules: HandlerRules;

  /**
   * @param type - the class that the work belongs to
   * @param handler - its method that does the work
   */
  constructor(
    private readonly deps: Pick<BackgroundDeps, 'policy' | 'reader' | 'inFlight'>,
    type: Class,
    handler: Handler,
  ) {
    this.#rules = deps.reader.getRules(type, handler);
  }

  /** Whether the work has to rest now. */
  get isPaused(): boolean {
    return this.deps.policy.shouldPause(this.#rules);
  }

  /** Waits until {@link isPaused} can be trusted; `null`: it can, and there is nothing to wait for. */
  awaitFresh(): Promise<void> | null {
    return this.deps.policy.awaitFresh();
  }

  /** Does the work, in flight until its promise settles. */
  async run<T>(name: string, work: () => T): Promise<Awaited<T>> {
    const { policy, inFlight } = this.deps;
    const begun = inFlight.begin({
      name,
      isStream: false,
      becameRefusedSince: (before) => policy.becamePausedSince(this.#rules, before),
    });
    try {
      return await work();
    } finally {
      inFlight.end(begun);
    }
  }
}

/** Whether `@RunInMaintenance()` exempts a method. */
export function shouldRunInMaintenance(type: Class, handler: Handler): boolean {
  return (Reflect.getMetadata(RUN_METADATA, handler) ?? Reflect.getMetadata(RUN_METADATA, type)) === true;
}
