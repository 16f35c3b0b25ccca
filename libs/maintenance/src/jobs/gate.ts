import { RUN } from '../policy/metadata.js';
import type { HandlerRules } from '../policy/handler-rules.js';
import type { BackgroundParts } from './background-parts.js';

type Class = abstract new (...args: never[]) => unknown;
type Handler = (...args: never[]) => unknown;

/** Where a piece of background work comes by each time it is due. */
export class Gate {
  readonly #rules: HandlerRules;

  /**
   * @param type - the class that the work belongs to
   * @param handler - its method that does the work
   */
  constructor(
    private readonly parts: Pick<BackgroundParts, 'policy' | 'reader' | 'inFlight'>,
    type: Class,
    handler: Handler,
  ) {
    this.#rules = parts.reader.rulesOf(type, handler);
  }

  /** Whether the work has to rest now. */
  get isShut(): boolean {
    return this.parts.policy.pauses(this.#rules);
  }

  /** Waits until {@link isShut} can be trusted; `null`: it can, and there is nothing to wait for. */
  awaitFresh(): Promise<void> | null {
    return this.parts.policy.awaitFresh();
  }

  /** Does the work, in flight until its promise settles. */
  async pass<T>(name: string, work: () => T): Promise<Awaited<T>> {
    const { policy, inFlight } = this.parts;
    const begun = inFlight.begin({
      name,
      isStream: false,
      isClosedSince: (before) => policy.pausesSince(this.#rules, before),
    });
    try {
      return await work();
    } finally {
      inFlight.end(begun);
    }
  }
}

/** Whether `@RunInMaintenance()` exempts a method. */
export function runsInMaintenance(type: Class, handler: Handler): boolean {
  return (Reflect.getMetadata(RUN, handler) ?? Reflect.getMetadata(RUN, type)) === true;
}
