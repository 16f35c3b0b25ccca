import { ALL_SCOPES } from '../core/maintenance-window.js';
import {
  ACCESS_METADATA,
  ADMIN_METADATA,
  FORCE_METADATA,
  SCOPES_METADATA,
  SKIP_METADATA,
} from '../maintenance.constants.js';
import { SSE_METADATA } from '../nest-internals.js';
import type { Class, Method } from '../utils/discovery.js';
import { findProbeKind, type ProbeKind } from './probes.js';

/** A method that handles calls, and its class. */
export interface HandlerReference {
  controller: Class;
  handler: Method;
}

/** Whether a handler reads or writes, for read-only windows. */
export type Access = 'read' | 'write';

/** The rules that decorators declare for one handler. */
export interface HandlerRules {
  /** `'refuse'` by `@ForceMaintenance()`, `'admit'` by `@SkipMaintenance()`, `null` where windows decide. */
  readonly override: 'refuse' | 'admit' | null;
  /** The scopes of windows that cover the handler; never empty. */
  readonly scopes: readonly string[];
  readonly access: Access | null;
  /** Whether it is an admin endpoint of this module. */
  readonly isAdmin: boolean;
  /** Whether it has `@Sse()`. */
  readonly isEventStream: boolean;
  /** Why it is a probe; `null` where it is none. */
  readonly probeKind: ProbeKind | null;
}

/** Reads the decorators of handlers, and caches what it has read. */
export class HandlerRulesReader {
  readonly #rulesByController = new WeakMap<object, WeakMap<object, HandlerRules>>();

  /** Returns the rules of `handler` as a member of `controller`. The handler's decorators beat those of the class. */
  getRules(controller: Class, handler: Method): HandlerRules {
    let byHandler = this.#rulesByController.get(controller);
    if (!byHandler) this.#rulesByController.set(controller, (byHandler = new WeakMap()));
    let rules = byHandler.get(handler);
    if (!rules) byHandler.set(handler, (rules = readRules(controller, handler)));
    return rules;
  }
}

function readRules(controller: Class, handler: Method): HandlerRules {
  return {
    override: readOverride(controller, handler),
    scopes: [ALL_SCOPES, ...new Set([...readScopes(handler), ...readScopes(controller)])],
    access: (Reflect.getMetadata(ACCESS_METADATA, handler) ??
      Reflect.getMetadata(ACCESS_METADATA, controller) ??
      null) as Access | null,
    isAdmin: Reflect.getMetadata(ADMIN_METADATA, controller) === true,
    isEventStream: Reflect.getMetadata(SSE_METADATA, handler) === true,
    probeKind: findProbeKind(controller, handler),
  };
}

function readOverride(controller: Class, handler: Method): HandlerRules['override'] {
  const atHandler = readFlags(handler);
  // Both decorators in one place are a mistake, and refusing is the safe reading of it.
  if (atHandler.force) return 'refuse';
  if (atHandler.skip === true) return 'admit';
  const atController = readFlags(controller);
  if (atController.force) return 'refuse';
  return atController.skip === true && atHandler.skip === undefined ? 'admit' : null;
}

function readFlags(target: object): { force: boolean; skip: boolean | undefined } {
  return {
    force: Reflect.getMetadata(FORCE_METADATA, target) === true,
    skip: Reflect.getMetadata(SKIP_METADATA, target) as boolean | undefined,
  };
}

function readScopes(target: object): string[] {
  return (Reflect.getMetadata(SCOPES_METADATA, target) as string[] | undefined) ?? [];
}
