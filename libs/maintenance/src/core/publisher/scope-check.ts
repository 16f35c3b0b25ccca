import { MetadataScanner, type ModulesContainer } from '@nestjs/core';
import { MaintenanceLogger } from '../../utils/maintenance-logger.js';
import { SCOPES_METADATA } from '../../maintenance.constants.js';
import type { MaintenanceStatus } from '../maintenance-status.js';
import { ALL_SCOPES } from '../maintenance-window.js';

/** Warns of windows on scopes that nothing carries, which close nothing: a name that was misspelt, most often. */
export class ScopeCheck {
  readonly #logger = new MaintenanceLogger();
  readonly #warnedScopes = new Set<string>();

  /** @param hasDynamicScopes - whether the application has scopes that no decorator names */
  constructor(
    private readonly modules: ModulesContainer,
    private readonly hasDynamicScopes: boolean,
  ) {}

  /** Looks at the windows of a status, each scope once. */
  warnOfUnknownScopes({ windows }: MaintenanceStatus): void {
    if (this.hasDynamicScopes) return;
    const scopes = new Set([...windows.active, ...windows.planned].map(({ scope }) => scope));
    const unseen = [...scopes].filter((scope) => scope !== ALL_SCOPES && !this.#warnedScopes.has(scope));
    if (unseen.length === 0) return;
    const known = this.#findKnownScopes();
    const unknown = unseen.filter((scope) => !known.has(scope));
    const [first] = unknown;
    if (first === undefined) return;
    for (const scope of unknown) this.#warnedScopes.add(scope);
    // One line, however many there are.
    const others = unknown.length === 1 ? '' : ` (and on ${unknown.length - 1} other scopes)`;
    const names = [...known].sort().map((name) => JSON.stringify(name));
    const carried = names.length > 0 ? `Known are ${names.join(', ')}` : 'No scope is used';
    this.#logger.warn(
      `The window on the scope ${JSON.stringify(first)}${others} closes nothing here: no @MaintenanceScope() names it. ${carried}.`,
    );
  }

  #findKnownScopes(): Set<string> {
    const scanner = new MetadataScanner();
    const known = new Set<string>();
    for (const { controllers, providers } of this.modules.values()) {
      for (const { metatype } of [...controllers.values(), ...providers.values()]) {
        const prototype = (metatype as { prototype?: Record<string, unknown> } | null)?.prototype;
        if (typeof metatype !== 'function' || !prototype) continue;
        const methods = scanner.getAllMethodNames(prototype).map((name) => prototype[name]);
        for (const target of [metatype, ...methods]) {
          if (typeof target !== 'function') continue;
          for (const scope of (Reflect.getMetadata(SCOPES_METADATA, target) as string[] | undefined) ?? [])
            known.add(scope);
        }
      }
    }
    return known;
  }
}
