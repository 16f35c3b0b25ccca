import { MetadataScanner, type DiscoveryService } from '@nestjs/core';
import type { HandlerRules, HandlerRulesReader } from '../policy/handler-rules.js';

// Nest copies a method's metadata, not its class's, onto the function that it gives to the router. A mark on the method that
// leads to its controllers therefore tells the edge, which sees only routed functions, whose handler it has before it.
const CONTROLLERS = Symbol.for('nestjs-maintenance:controllers');
/** Nest's key of the path that `@Get()` and its like leave on a method. */
const ROUTE_PATH = 'path';

type Class = abstract new (...args: never[]) => unknown;
type Handler = (...args: never[]) => unknown;
interface Owner {
  controller: Class;
  handler: Handler;
}

/** The Nest handlers behind a routed function: several where controllers inherit one. */
export class RoutedHandlers {
  // The marks outlive an application; only its own controllers count.
  readonly #controllers = new Set<Class>();
  #hasForced = false;

  constructor(private readonly reader: HandlerRulesReader) {}

  /** Marks the handlers of all controllers. Has to come before Nest registers the routes. */
  mark(discovery: DiscoveryService): void {
    const scanner = new MetadataScanner();
    for (const { metatype, instance } of discovery.getControllers()) {
      if (typeof metatype !== 'function') continue;
      const prototype = metatype.prototype as Record<string, Handler>;
      for (const name of scanner.getAllMethodNames(prototype)) {
        const inUse = (instance as Record<string, Handler> | undefined)?.[name];
        for (const handler of new Set([prototype[name], inUse])) {
          if (typeof handler === 'function' && Reflect.hasMetadata(ROUTE_PATH, handler)) {
            this.#mark({ controller: metatype as unknown as Class, handler });
          }
        }
      }
    }
  }

  /** The rules of the handlers behind a routed function; none where it is not one of a Nest controller. */
  rulesOf(routed: object): HandlerRules[] {
    const owners = (Reflect.getMetadata(CONTROLLERS, routed) ?? []) as Owner[];
    return owners
      .filter(({ controller }) => this.#controllers.has(controller))
      .map(({ controller, handler }) => this.reader.rulesOf(controller, handler));
  }

  /** Whether some handler is closed even while maintenance is off. */
  get hasForced(): boolean {
    return this.#hasForced;
  }

  #mark(owner: Owner): void {
    this.#controllers.add(owner.controller);
    const owners = (Reflect.getOwnMetadata(CONTROLLERS, owner.handler) ?? []) as Owner[];
    if (!owners.some(({ controller }) => controller === owner.controller)) {
      Reflect.defineMetadata(CONTROLLERS, [...owners, owner], owner.handler);
    }
    this.#hasForced ||= this.reader.rulesOf(owner.controller, owner.handler).verdict === 'refuse';
  }
}
