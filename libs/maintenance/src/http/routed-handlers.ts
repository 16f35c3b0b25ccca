import type { DiscoveryService } from '@nestjs/core';
import { GUARDS_METADATA, PATH_METADATA } from '../nest-internals.js';
import type { HandlerReference, HandlerRules, HandlerRulesReader } from '../policy/handler-rules.js';
import { getMethods, type Class, type Method } from '../utils/discovery.js';

// Nest copies the metadata of a method, but not that of its class, onto the function that it gives to the router. The
// middleware sees only those functions, so this metadata leads from them to their controllers.
const CONTROLLERS_METADATA = Symbol.for('nestjs-maintenance:controllers');

/** The rules of the Nest handlers that may take a request, or `'unclear'` where only the guard can decide. */
export type ResolvedHandlers = HandlerRules[] | 'unclear';

/** For requests that no Nest handler takes: an unknown URL, a static file. */
export const NO_HANDLERS: ResolvedHandlers = [];

/** Finds the Nest handlers behind a routed function: several where controllers inherit one. */
export class RoutedHandlers {
  // The metadata outlives an application, so only its own controllers count.
  readonly #controllers = new Set<Class>();
  readonly #resolved = new WeakMap<object, ResolvedHandlers>();
  #hasForcedHandlers = false;

  /** @param guard - the guard that handlers use by `@UseGuards()`; `null` where it is global */
  constructor(
    private readonly reader: HandlerRulesReader,
    private readonly guard: Class | null,
  ) {}

  /** Marks the handlers of all controllers. Has to run before Nest registers the routes. */
  markHandlers(discovery: DiscoveryService): void {
    for (const { metatype, instance } of discovery.getControllers()) {
      const controller = metatype as unknown as Class;
      for (const [name, declared] of getMethods(controller.prototype as object)) {
        if (!Reflect.hasMetadata(PATH_METADATA, declared)) continue;
        // Nest routes the method of the instance, which a constructor may have bound or wrapped.
        const inUse = (instance as Record<string, Method> | undefined)?.[name] ?? declared;
        for (const handler of new Set([declared, inUse])) this.markHandler({ controller, handler });
      }
    }
  }

  /** Marks a handler as one of a controller, whose decorators count for it. */
  markHandler(owner: HandlerReference): void {
    this.#controllers.add(owner.controller);
    const owners = (Reflect.getOwnMetadata(CONTROLLERS_METADATA, owner.handler) ?? []) as HandlerReference[];
    if (!owners.some(({ controller }) => controller === owner.controller)) {
      Reflect.defineMetadata(CONTROLLERS_METADATA, [...owners, owner], owner.handler);
    }
    this.#hasForcedHandlers ||= this.reader.getRules(owner.controller, owner.handler).override === 'refuse';
  }

  /**
   * Returns the rules of the handlers behind a routed function; none where it does not belong to a controller.
   *
   * @param isWrapping - whether Nest wraps handlers to report routes that are taken. Before Nest 12, the wrapper has
   *   no metadata.
   */
  resolveHandlers(routed: object, isWrapping = false): ResolvedHandlers {
    const known = this.#resolved.get(routed);
    if (known) return known;
    const owners = this.#findOwners(routed);
    if (owners.length === 0) return isWrapping && (routed as Method).length === 0 ? 'unclear' : NO_HANDLERS;
    // The middleware must not refuse a request that no guard would refuse.
    const handlers = owners.every((owner) => this.isGuarded(owner))
      ? owners.map(({ controller, handler }) => this.reader.getRules(controller, handler))
      : 'unclear';
    this.#resolved.set(routed, handlers);
    return handlers;
  }

  /** Whether a function that is routed is a handler of a Nest controller, or may be one. */
  isRouted(routed: object): boolean {
    return this.#findOwners(routed).length > 0 || (routed as Method).length === 0;
  }

  /** Whether a routed function is one of the module's own endpoints. */
  isAdmin(routed: object): boolean {
    return this.#findOwners(routed).some(
      ({ controller, handler }) => this.reader.getRules(controller, handler).isAdmin,
    );
  }

  /** Whether a handler has `@ForceMaintenance()`, so that it is refused even while maintenance is off. */
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
}
