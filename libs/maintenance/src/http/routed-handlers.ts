import { MetadataScanner, type DiscoveryService } from '@nestjs/core';
import { GUARDS_METADATA, PATH_METADATA } from '../nest-internals.js';
import type { HandlerRules, HandlerRulesReader } from '../policy/handler-rules.js';

// Nest copies a method's metadata, not its class's, onto the function that it gives to the router. A mark on the method that
// leads to its controllers therefore tells the edge, which sees only routed functions, whose handler it has before it.
const CONTROLLERS_METADATA = Symbol.for('nestjs-maintenance:controllers');

/** What the router would do with a request: the Nest handlers that may take it, or `'unclear'`. */
export type ResolvedHandlers = HandlerRules[] | 'unclear';

/** Where no Nest handler is: an unknown URL, a static file. */
export const NO_HANDLERS: ResolvedHandlers = [];

type Class = abstract new (...args: never[]) => unknown;
type Handler = (...args: never[]) => unknown;
interface HandlerReference {
  controller: Class;
  handler: Handler;
}

/** The Nest handlers behind a routed function: several where controllers inherit one. */
export class RoutedHandlers {
  // The marks outlive an application; only its own controllers count.
  readonly #controllers = new Set<Class>();
  #hasForcedHandlers = false;

  /** @param guard - the guard that handlers name by themselves; `null` where it guards all of them */
  constructor(
    private readonly reader: HandlerRulesReader,
    private readonly guard: Class | null,
  ) {}

  /** Marks the handlers of all controllers. Has to come before Nest registers the routes. */
  markHandlers(discovery: DiscoveryService): void {
    const scanner = new MetadataScanner();
    for (const { metatype, instance } of discovery.getControllers()) {
      if (typeof metatype !== 'function') continue;
      const prototype = metatype.prototype as Record<string, Handler>;
      for (const name of scanner.getAllMethodNames(prototype)) {
        const declared = prototype[name];
        if (typeof declared !== 'function' || !Reflect.hasMetadata(PATH_METADATA, declared)) continue;
        // What Nest routes is the instance's method, which its constructor may have bound or wrapped.
        const inUse = (instance as Record<string, Handler> | undefined)?.[name] ?? declared;
        for (const handler of new Set([declared, inUse]))
          this.#markHandler({ controller: metatype as unknown as Class, handler });
      }
    }
  }

  /**
   * The handlers behind a routed function; none where it is not one of a Nest controller.
   *
   * @param wraps - whether Nest wraps handlers to tell of each route that is taken. Before Nest 12, marks get lost in that.
   */
  resolveHandlers(routed: object, wraps = false): ResolvedHandlers {
    const owners = this.#findOwners(routed);
    if (owners.length === 0 && wraps && (routed as Handler).length === 0) return 'unclear';
    // The edge must not refuse what no guard would.
    if (owners.some((owner) => !this.isGuarded(owner))) return 'unclear';
    return owners.map(({ controller, handler }) => this.reader.getRules(controller, handler));
  }

  /** Whether a function that is routed is a handler of a Nest controller, or may be one. */
  isRouted(routed: object): boolean {
    return this.#findOwners(routed).length > 0 || (routed as Handler).length === 0;
  }

  /** Whether a routed function is one of the module's own endpoints. */
  isAdmin(routed: object): boolean {
    return this.#findOwners(routed).some(
      ({ controller, handler }) => this.reader.getRules(controller, handler).isAdmin,
    );
  }

  /** Whether some handler is closed even while maintenance is off. */
  get hasForcedHandlers(): boolean {
    return this.#hasForcedHandlers;
  }

  /** Whether the maintenance guard runs for a handler. */
  isGuarded({ controller, handler }: HandlerReference): boolean {
    const { guard } = this;
    if (!guard) return true;
    const named = [controller, handler].flatMap(
      (target) => (Reflect.getMetadata(GUARDS_METADATA, target) ?? []) as unknown[],
    );
    return named.some(
      (used) =>
        used === guard || used instanceof guard || (typeof used === 'function' && used.prototype instanceof guard),
    );
  }

  #findOwners(routed: object): HandlerReference[] {
    const owners = (Reflect.getMetadata(CONTROLLERS_METADATA, routed) ?? []) as HandlerReference[];
    return owners.filter(({ controller }) => this.#controllers.has(controller));
  }

  #markHandler(owner: HandlerReference): void {
    this.#controllers.add(owner.controller);
    const owners = (Reflect.getOwnMetadata(CONTROLLERS_METADATA, owner.handler) ?? []) as HandlerReference[];
    if (!owners.some(({ controller }) => controller === owner.controller)) {
      Reflect.defineMetadata(CONTROLLERS_METADATA, [...owners, owner], owner.handler);
    }
    this.#hasForcedHandlers ||= this.reader.getRules(owner.controller, owner.handler).override === 'refuse';
  }
}
