import type { MaintenanceLogger } from '../../utils/maintenance-logger.js';
import type { MaintenanceStatus } from '../maintenance-status.js';
import { ALL_SCOPES } from '../maintenance-window.js';

/** Warns of windows on scopes that no handler has, and which therefore refuse nothing: usually a typo. */
export class UnknownScopeWarning {
  readonly #warnedScopes = new Set<string>();

  /**
   * @param getKnownScopes - returns the scopes of all handlers; `null` for dynamic scopes, of which none is unknown
   * @param logger - the log of the application
   */
  constructor(
    private readonly getKnownScopes: (() => Set<string>) | null,
    private readonly logger: Pick<MaintenanceLogger, 'warn'>,
  ) {}

  /** Warns of the unknown scopes among the windows of a status, once for each scope. */
  warn({ windows }: MaintenanceStatus): void {
    if (!this.getKnownScopes) return;
    const scopes = new Set([...windows.active, ...windows.planned].map(({ scope }) => scope));
    const unseen = [...scopes].filter((scope) => scope !== ALL_SCOPES && !this.#warnedScopes.has(scope));
    if (unseen.length === 0) return;
    const known = this.getKnownScopes();
    const unknown = unseen.filter((scope) => !known.has(scope));
    const [first] = unknown;
    if (first === undefined) return;
    for (const scope of unknown) this.#warnedScopes.add(scope);
    // One line, however many there are.
    const others = unknown.length === 1 ? '' : ` (and on ${unknown.length - 1} other scopes)`;
    const names = [...known].sort().map((name) => JSON.stringify(name));
    const hint = names.length > 0 ? `Known scopes: ${names.join(', ')}` : 'The application has no scopes';
    this.logger.warn(
      `The window on the scope ${JSON.stringify(first)}${others} matches no handler: no @MaintenanceScope() names it. ${hint}.`,
    );
  }
}
