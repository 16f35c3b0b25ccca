import type { ExecutionContext } from '@nestjs/common';
import type { Clock } from '../utils/clock.js';
import { ALL_SCOPES, type StoredWindow } from '../core/maintenance-window.js';
import { withTimeout } from '../utils/with-timeout.js';
import type { MonitorSnapshot, StateMonitor } from '../core/state-monitor.js';
import { isBypassed } from './bypass.js';
import { hasUserExemptions, isExemptRequest, isExemptUser, type ExemptionRules } from './exemptions.js';
import type { HandlerRules } from './handler-rules.js';
import type { Access } from './handler-rules.js';
import { RefusalFactory, type Refusal } from './refusal.js';
import type { PolicyRequest } from './request-path.js';

/** Who wants in. */
export interface PolicyInput {
  /** The decorators of the handler; `null` where no Nest handler is: an unknown URL, a static file. */
  rules: HandlerRules | null;
  /** The HTTP request, or the one with which a socket was opened; `null` where there is none. */
  request: PolicyRequest | null;
  /** Nest's context; `null` before the guards run. */
  context: ExecutionContext | null;
  /** What the visit does, where the transport knows better than the HTTP method. A decorator knows best. */
  access?: Access;
  /** Only an answer that is certain at once is wanted: the application's own functions are not asked. */
  isSyncOnly?: boolean;
  /** Whoever asks is known by now, though no guard has run: a socket that is open. Nothing but `exempt.when` is left to the guard. */
  isUserResolved?: boolean;
}

/** The answer to a visit. */
export type Decision =
  /** No window covers the visit, or a decorator admits it. */
  | 'admitted'
  /** A window covers the visit, and an exemption admits it. */
  | 'exempt'
  /** Only the guard, which knows the user and the context, can tell. */
  | 'undecided'
  | Refusal;

export interface PolicyOptions {
  exemptions: ExemptionRules;
  /** The scopes of a visit that no decorator names, such as its tenant. */
  scopesOf?: (context: ExecutionContext) => string[];
  /** The name of the cookie that a bypass leaves. */
  bypassCookieName: string;
  /** Seconds for `Retry-After` where no end is known. */
  retryAfter: number;
  /** Told when a function of the application could not decide; the visit is refused. */
  onError: (option: DecidingOption, error: unknown) => void;
}

/** The options that hold functions of the application which decide. */
export type DecidingOption = 'exempt.user' | 'exempt.when' | 'scopesOf';

/** Who does not say within so many milliseconds whether a visitor is exempt has not said so. */
const EXEMPTION_TIMEOUT_MS = 5_000;

const READ_METHODS = new Set(['GET', 'HEAD', 'OPTIONS']);
const NO_WINDOWS: readonly StoredWindow[] = [];

/** The one place that decides who is admitted. Guard, edge, health, command line and panel ask here. */
export class MaintenancePolicy {
  readonly #refusalFactory: RefusalFactory;

  constructor(
    private readonly monitor: StateMonitor,
    private readonly clock: Clock,
    private readonly options: PolicyOptions,
  ) {
    this.#refusalFactory = new RefusalFactory(options.retryAfter);
  }

  /** Whether nobody can be refused now but by `@ForceMaintenance()`: the short way while maintenance is off. */
  get isInactive(): boolean {
    const { forced, active } = this.monitor.getSnapshot();
    return forced === null ? active.length === 0 : !forced;
  }

  /** Whether the short way may be taken: maintenance is off, and the snapshot that says so is fresh. */
  get isIdle(): boolean {
    return this.isInactive && this.monitor.isFresh;
  }

  /** Whether it may matter who asks, so that a refusal may have to wait until the user is known. */
  get hasUserExemptions(): boolean {
    return hasUserExemptions(this.options.exemptions);
  }

  /** Decides, in this order. From memory, except where the application's own functions answer later. */
  decide(visit: PolicyInput): Decision | Promise<Decision> {
    if (this.monitor.isFresh) return this.#decide(visit);
    if (visit.isSyncOnly) return 'undecided';
    return this.monitor.catchUp().then(() => this.#decide(visit));
  }

  #decide(visit: PolicyInput): Decision | Promise<Decision> {
    const { rules, request, context } = visit;
    const { exemptions } = this.options;

    // The handler's decorators.
    if (rules?.override === 'refuse') return this.#createRefusal(NO_WINDOWS);
    if (rules?.override === 'admit') return 'admitted';

    // No active window covers the visit.
    const covering = this.#findCoveringWindows(this.monitor.getSnapshot(), visit);
    if (!covering) return 'admitted';
    if (covering === 'undecided') return covering;

    // The module's own endpoints.
    if (rules?.isAdmin) return 'exempt';

    // Tests, addresses, paths, probes, the redirect's target.
    if (isExemptRequest(exemptions, request, rules)) return 'exempt';

    // A key to the window.
    if (this.#hasBypass(request, covering)) return 'exempt';

    // The user's role, then the application's own condition.
    if (hasUserExemptions(exemptions)) {
      const comesGuard = rules !== null && context === null;
      if ((comesGuard && !visit.isUserResolved) || visit.isSyncOnly) return 'undecided';
      let option: DecidingOption = 'exempt.user';
      const isExempt = (): Promise<boolean> => isExemptUser(exemptions, request, context, (next) => (option = next));
      return withTimeout(isExempt, this.clock, EXEMPTION_TIMEOUT_MS).then(
        (isExempt) => {
          if (isExempt) return 'exempt';
          return comesGuard && exemptions.when ? 'undecided' : this.#createRefusal(covering);
        },
        (error: unknown) => {
          this.options.onError(option, error);
          return this.#createRefusal(covering);
        },
      );
    }

    // Nothing speaks for the visit.
    return this.#createRefusal(covering);
  }

  /**
   * Whether a window that was not open yet at `before` closes a visit that was let in then. Where only the guard could tell, it does.
   *
   * @param visit - `rules: 'unclear'`: nobody knows what is visited
   */
  becameRefusedSince(
    visit: Omit<PolicyInput, 'rules'> & { rules: PolicyInput['rules'] | 'unclear' },
    before: MonitorSnapshot,
  ): boolean {
    const { rules, request } = visit;
    const opened = this.#findStartedSince(before);
    const handler = rules === 'unclear' ? null : rules;
    if (!opened || isExemptRequest(this.options.exemptions, request, handler)) return false;
    if (rules === 'unclear') return true;
    if (rules?.override === 'admit' || rules?.isAdmin) return false;
    const covering = this.#findCoveringWindows(opened, { ...visit, rules });
    return covering !== null && (covering === 'undecided' || !this.#hasBypass(request, covering));
  }

  /** Waits until {@link shouldPause} can be trusted; `null`: it can, and there is nothing to wait for. */
  awaitFresh(): Promise<void> | null {
    return this.monitor.isFresh ? null : this.monitor.catchUp();
  }

  /** Whether a full window covers what nobody calls: a job, a cron. No exemption of visitors counts there. */
  shouldPause(rules: Pick<HandlerRules, 'scopes'>): boolean {
    return isCoveredByFullWindow(rules, this.monitor.getSnapshot());
  }

  /** Whether a full window that was not open yet at `before` covers what began then and nobody called. */
  becamePausedSince(rules: Pick<HandlerRules, 'scopes'>, before: MonitorSnapshot): boolean {
    const opened = this.#findStartedSince(before);
    return opened !== null && isCoveredByFullWindow(rules, opened);
  }

  /** What holds now for reasons that did not hold at `before`; `null` if nothing does. */
  #findStartedSince(before: MonitorSnapshot): MonitorSnapshot | null {
    const now = this.monitor.getSnapshot();
    if (now.forced !== null) return now.forced && before.forced !== true ? now : null;
    // What was let in while everything was forced open was let in past the windows that were there.
    const open = before.forced === false ? NO_WINDOWS : before.active;
    const active = now.active.filter((window) => !open.some((other) => isSameOccurrence(other, window)));
    return active.length > 0 ? { ...now, active } : null;
  }

  #createRefusal(windows: readonly StoredWindow[]): Refusal {
    return this.#refusalFactory.create(windows, this.clock.now());
  }

  #hasBypass(request: PolicyRequest | null, covering: readonly StoredWindow[]): boolean {
    if (!request) return false;
    const { active } = this.monitor.getSnapshot();
    return isBypassed(request, active, covering, this.options.bypassCookieName, this.clock.now());
  }

  /** The active windows that close what is visited; `null` if none does, an empty list if maintenance is forced on. */
  #findCoveringWindows(
    { forced, active }: MonitorSnapshot,
    visit: PolicyInput,
  ): readonly StoredWindow[] | null | 'undecided' {
    if (forced !== null) return forced ? NO_WINDOWS : null;
    if (active.length === 0) return null;
    const { rules, context } = visit;
    // What the mode lets through needs no look at scopes, and everything is in each of them.
    const closing = active.filter(({ mode }) => mode === 'full' || getAccess(visit) === 'write');
    const isNamed = ({ scope }: StoredWindow): boolean =>
      scope === ALL_SCOPES || rules?.scopes.includes(scope) === true;
    const named = closing.filter(isNamed);
    if (!this.options.scopesOf || rules === null || named.length === closing.length) return nullIfEmpty(named);
    if (!context) return this.#isAlreadyDecisive(named, closing) ? named : 'undecided';
    const dynamic = this.#getDynamicScopes(context);
    return nullIfEmpty(
      closing.filter((window) => isNamed(window) || dynamic === null || dynamic.includes(window.scope)),
    );
  }

  /** Whether some of the windows refuse in the name of all: then the guard need not be asked about the others. */
  #isAlreadyDecisive(some: readonly StoredWindow[], all: readonly StoredWindow[]): boolean {
    return some.length > 0 && this.#createRefusal(some).window?.id === this.#createRefusal(all).window?.id;
  }

  /** `null`: nobody knows, so that every window may be meant. */
  #getDynamicScopes(context: ExecutionContext): string[] | null {
    try {
      const scopes: unknown = this.options.scopesOf?.(context);
      if (Array.isArray(scopes)) return scopes as string[];
      throw new TypeError('`scopesOf` must return an array of strings');
    } catch (error) {
      this.options.onError('scopesOf', error);
      return null;
    }
  }
}

function isCoveredByFullWindow({ scopes }: Pick<HandlerRules, 'scopes'>, { forced, active }: MonitorSnapshot): boolean {
  return forced ?? active.some(({ mode, scope }) => mode === 'full' && scopes.includes(scope));
}

// Of what recurs, each occurrence is a window of its own.
function isSameOccurrence(a: StoredWindow, b: StoredWindow): boolean {
  return a.id === b.id && (b.recurrence === undefined || a.startsAt === b.startsAt);
}

function nullIfEmpty(windows: readonly StoredWindow[]): readonly StoredWindow[] | null {
  return windows.length > 0 ? windows : null;
}

function getAccess({ rules, request, access }: PolicyInput): Access {
  return rules?.access ?? access ?? (request && READ_METHODS.has(request.method) ? 'read' : 'write');
}
