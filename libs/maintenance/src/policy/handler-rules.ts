import { EVERYTHING } from '../core/maintenance-window.js';
import { ACCESS, ADMIN, FORCE, SCOPES, SKIP, type Access } from './metadata.js';
import { findProbeKind, type ProbeKind } from './probes.js';

/** Nest's key of what `@Sse()` leaves on a method. */
const SSE = '__sse__';

type Class = abstract new (...args: never[]) => unknown;
type Handler = (...args: never[]) => unknown;

/** What the decorators say of one handler. */
export interface HandlerRules {
  /** `@ForceMaintenance()` refuses, `@SkipMaintenance()` admits, nothing leaves it to the windows. */
  readonly verdict: 'refuse' | 'admit' | null;
  /** The scopes that a window may name to close the handler; never empty. */
  readonly scopes: readonly string[];
  readonly access: Access | null;
  /** The module's own endpoints. */
  readonly isAdmin: boolean;
  /** It sends events: `@Sse()`. */
  readonly isEventStream: boolean;
  /** Why it answers probes; `null`: it does not. */
  readonly probe: ProbeKind | null;
}

/** Reads the decorators of handlers, each once. */
export class HandlerRulesReader {
  readonly #known = new WeakMap<object, WeakMap<object, HandlerRules>>();

  /** The rules of `handler` as a member of `controller`: the handler's decorators beat the class's. */
  rulesOf(controller: Class, handler: Handler): HandlerRules {
    let ofController = this.#known.get(controller);
    if (!ofController) this.#known.set(controller, (ofController = new WeakMap()));
    let rules = ofController.get(handler);
    if (!rules) ofController.set(handler, (rules = readRules(controller, handler)));
    return rules;
  }
}

function readRules(controller: Class, handler: Handler): HandlerRules {
  return {
    verdict: verdictOf(controller, handler),
    scopes: [EVERYTHING, ...new Set([...scopesAt(handler), ...scopesAt(controller)])],
    access: (Reflect.getMetadata(ACCESS, handler) ?? Reflect.getMetadata(ACCESS, controller) ?? null) as Access | null,
    isAdmin: Reflect.getMetadata(ADMIN, controller) === true,
    isEventStream: Reflect.getMetadata(SSE, handler) === true,
    probe: findProbeKind(controller, handler),
  };
}

function verdictOf(controller: Class, handler: Handler): HandlerRules['verdict'] {
  const atHandler = flagsAt(handler);
  // Who marks one place both ways has made a mistake, and the safe reading of it is closed.
  if (atHandler.force) return 'refuse';
  if (atHandler.skip === true) return 'admit';
  const atController = flagsAt(controller);
  if (atController.force) return 'refuse';
  return atController.skip === true && atHandler.skip === undefined ? 'admit' : null;
}

function flagsAt(target: object): { force: boolean; skip: boolean | undefined } {
  return {
    force: Reflect.getMetadata(FORCE, target) === true,
    skip: Reflect.getMetadata(SKIP, target) as boolean | undefined,
  };
}

function scopesAt(target: object): string[] {
  return (Reflect.getMetadata(SCOPES, target) as string[] | undefined) ?? [];
}
