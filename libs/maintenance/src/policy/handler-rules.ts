import { ALL_SCOPES } from '../core/maintenance-window.js';
import {
  ACCESS_METADATA,
  ADMIN_METADATA,
  FORCE_METADATA,
  SCOPES_METADATA,
  SKIP_METADATA,
} from '../maintenance.constants.js';
import { SSE_METADATA } from '../nest-internals.js';
import { findProbeKind, type ProbeKind } from './probes.js';

type Class = abstract new (...args: never[]) => unknown;
type Handler = (...args: never[]) => unknown;

/** Whether a handler reads or writes, for read-only windows. */
export type Access = 'read' | 'write';

/** What the decorators say of one handler. */
export interface HandlerRules {
  /** `@ForceMaintenance()` refuses, `@SkipMaintenance()` admits, nothing leaves it to the windows. */
  readonly override: 'refuse' | 'admit' | null;
  /** The scopes that a window may name to close the handler; never empty. */
  readonly scopes: readonly string[];
  readonly access: Access | null;
  /** The module's own endpoints. */
  readonly isAdmin: boolean;
  /** It sends events: `@Sse()`. */
  readonly isEventStream: boolean;
  /** Why it answers probes; `null`: it does not. */
  readonly probeKind: ProbeKind | null;
}

/** Reads the decorators of handlers, each once. */
export class HandlerRulesReader {
  readonly #rulesByController = new WeakMap<object, WeakMap<object, HandlerRules>>();

  /** The rules of `handler` as a member of `controller`: the handler's decorators beat the class's. */
  getRules(controller: Class, handler: Handler): HandlerRules {
    let ofController = this.#rulesByController.get(controller);
    if (!ofController) this.#rulesByController.set(controller, (ofController = new WeakMap()));
    let rules = ofController.get(handler);
    if (!rules) ofController.set(handler, (rules = readRules(controller, handler)));
    return rules;
  }
}

function readRules(controller: Class, handler: Handler): HandlerRules {
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

function readOverride(controller: Class, handler: Handler): HandlerRules['override'] {
  const atHandler = readFlags(handler);
  // Who marks one place both ways has made a mistake, and the safe reading of it is closed.
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
