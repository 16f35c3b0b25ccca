import type { ExecutionContext } from '@nestjs/common';
import type { Clock } from '../utils/clock.js';
import { ALL_SCOPES, type StoredWindow } from '../core/maintenance-window.js';
import { CALLBACK_TIMEOUT_MS, withTimeout } from '../utils/with-timeout.js';
import type { MonitorSnapshot, StateMonitor } from '../core/state-monitor.js';
import { createExemptions, ExemptionInput, type Exemption, type ExemptionRules } from './exemptions.js';
import type { Access, HandlerRules } from './handler-rules.js';
import { RefusalFactory, type Refusal } from './refusal.js';
import type { PolicyRequest } from './request-path.js';
import { WindowAddresses } from './window-addresses.js';

/** A call that the policy decides. */
export interface PolicyInput {
  /** The decorators of the handler; `null` where the call has no Nest handler: an unknown URL, a static file. */
  rules: HandlerRules | null;
  /** The HTTP request, or the one that opened the socket; `null` where there is none. */
  request: PolicyRequest | null;
  /** Nest's context; `null` before the guards run. */
  context: ExecutionContext | null;
  /** Whether the call reads or writes, where the transport knows better than the HTTP method. Decorators win. */
  access?: Access;
  /** Whether only a synchronous answer is wanted: callbacks of the application are not called. */
  isSyncOnly?: boolean;
  /**
   * Whether the user is known though no guard has run, as for a socket that is open. Only `exempt.when` is left to the
   * guard then.
   */
  isUserResolved?: boolean;
}

/** The decision about a call. */
export type Decision =
  /** No window covers the call, or a decorator admits it. */
  | 'admitted'
  /** A window covers the call, and an exemption admits it. */
  | 'exempt'
  /** Only the guard, which knows the user and the context, can decide. */
  | 'undecided'
  | Refusal;

export interface PolicyOptions {
  exemptions: ExemptionRules;
  /** Returns the scopes of a call that no decorator names, such as its tenant. */
  scopesOf?: (context: ExecutionContext) => string[];
  /** The cookie that a bypass link sets. */
  bypassCookieName: string;
  /** The seconds of `Retry-After` for a window without a known end. */
  retryAfter: number;
  /** Called with the option whose callback failed; the call is refused. */
  onError: (option: string, error: unknown) => void;
}

const READ_METHODS = new Set(['GET', 'HEAD', 'OPTIONS']);
const NO_WINDOWS: readonly StoredWindow[] = [];

/** Decides which calls are admitted, for the guard, the middleware and every transport. */
export class MaintenancePolicy {
  readonly #refusalFactory: RefusalFactory;
  readonly #windowAddresses = new WindowAddresses();
  readonly #requestExemptions: readonly Exemption[];
  readonly #userExemptions: readonly Exemption[];

  constructor(
    private readonly monitor: StateMonitor,
    private readonly clock: Clock,
    private readonly options: PolicyOptions,
  ) {
    const exemptions = createExemptions(options.exemptions, options.bypassCookieName, clock);
    this.#requestExemptions = exemptions.filter(({ needsUser }) => !needsUser);
    this.#userExemptions = exemptions.filter(({ needsUser }) => needsUser);
    this.#refusalFactory = new RefusalFactory(options.retryAfter);
  }

  /** Whether no window is active, so that only `@ForceMaintenance()` refuses calls. */
  get isInactive(): boolean {
    return isInactive(this.monitor.getSnapshot());
  }

  /** Whether calls may skip the decision: no window is active, and the snapshot is fresh. */
  get isIdle(): boolean {
    return this.isIdleAt(this.clock.now());
  }

  /** Whether calls may skip the decision at `now`, in milliseconds since the epoch. */
  isIdleAt(now: number): boolean {
    return isInactive(this.monitor.getSnapshot(now)) && this.monitor.isFreshAt(now);
  }

  /** Whether an exemption depends on the user, so that a refusal may have to wait until the guards have run. */
  get hasUserExemptions(): boolean {
    return this.#userExemptions.length > 0;
  }

  /**
   * Decides a call from the state in memory. The order of the steps is part of the documented behaviour.
   *
   * @returns a promise only where the state has to be read again, or a callback of the application has to be awaited
   */
  decide(call: PolicyInput): Decision | Promise<Decision> {
    const now = this.clock.now();
    if (this.monitor.isFreshAt(now)) return this.#decide(call, now);
    if (call.isSyncOnly) return 'undecided';
    return this.monitor.catchUp().then(() => this.#decide(call, this.clock.now()));
  }

  #decide(call: PolicyInput, now: number): Decision | Promise<Decision> {
    // 1. The decorators of the handler.
    if (call.rules?.override === 'refuse') return this.#createRefusal(NO_WINDOWS, now);
    if (call.rules?.override === 'admit') return 'admitted';

    // 2. No active window covers the call. A window that admits the client's address does not count.
    const snapshot = this.monitor.getSnapshot(now);
    const covering = this.#findRefusingWindows(snapshot, call);
    if (typeof covering === 'string') return covering;

    // 3. to 5. The exemptions that need no user: admin endpoints, tests, addresses, URLs, probes, a bypass.
    const input = new ExemptionInput(call.request, call.rules, call.context, covering, snapshot.active);
    if (this.#isExemptRequest(input)) return 'exempt';

    // 6. The exemptions that need the user: the guard tries them, or the last step before it.
    if (this.#userExemptions.length > 0) {
      const isBeforeGuard = call.rules !== null && call.context === null;
      if ((isBeforeGuard && !call.isUserResolved) || call.isSyncOnly) return 'undecided';
      return this.#decideByUser(input, isBeforeGuard);
    }

    // 7. No exemption admits the call.
    return this.#createRefusal(covering, now);
  }

  #isExemptRequest(input: ExemptionInput): boolean {
    for (const exemption of this.#requestExemptions) if (exemption.admits(input) === true) return true;
    return false;
  }

  /** Tries the exemptions that need the user, and refuses the call where one of them fails or takes too long. */
  async #decideByUser(input: ExemptionInput, isBeforeGuard: boolean): Promise<Decision> {
    let asked = this.#userExemptions[0]!;
    const isExempt = async (): Promise<boolean> => {
      for (asked of this.#userExemptions) if (await asked.admits(input)) return true;
      return false;
    };
    try {
      if (await withTimeout(isExempt, this.clock, CALLBACK_TIMEOUT_MS)) return 'exempt';
    } catch (error) {
      this.options.onError(asked.name, error);
      return this.#createRefusal(input.covering);
    }
    const isLeftToGuard = isBeforeGuard && this.#userExemptions.some(({ needsContext }) => needsContext);
    return isLeftToGuard ? 'undecided' : this.#createRefusal(input.covering);
  }

  /**
   * Whether a window that started after `before` refuses a call that was admitted then. A call that only the guard can
   * decide counts as refused.
   *
   * @param call - with `rules: 'unclear'` where the handler is not known
   */
  becameRefusedSince(
    call: Omit<PolicyInput, 'rules'> & { rules: PolicyInput['rules'] | 'unclear' },
    before: MonitorSnapshot,
  ): boolean {
    const started = this.#findStartedSince(before);
    if (!started) return false;
    const rules = call.rules === 'unclear' ? null : call.rules;
    if (rules?.override === 'admit') return false;
    const refusing = this.#windowAddresses.findRefusing(started.active, call.request);
    if (started.forced === null && refusing.length === 0) return false;
    const covering =
      call.rules === 'unclear'
        ? 'undecided'
        : this.#findCoveringWindows({ ...started, active: refusing }, { ...call, rules });
    if (!covering) return false;
    const windows = covering === 'undecided' ? NO_WINDOWS : covering;
    const { active } = this.monitor.getSnapshot();
    return !this.#isExemptRequest(new ExemptionInput(call.request, rules, call.context, windows, active));
  }

  /** Reads the state again where it is not fresh, before {@link shouldPause} is asked; `null` where it is fresh. */
  awaitFresh(): Promise<void> | null {
    return this.monitor.isFresh ? null : this.monitor.catchUp();
  }

  /** Whether a full window covers background work: a job, a cron. No exemption applies to it. */
  shouldPause(rules: Pick<HandlerRules, 'scopes'>): boolean {
    return isCoveredByFullWindow(rules, this.monitor.getSnapshot());
  }

  /** Whether a full window that started after `before` covers background work that ran then. */
  becamePausedSince(rules: Pick<HandlerRules, 'scopes'>, before: MonitorSnapshot): boolean {
    const started = this.#findStartedSince(before);
    return started !== null && isCoveredByFullWindow(rules, started);
  }

  /** Returns the snapshot with only those windows that started after `before`; `null` where none did. */
  #findStartedSince(before: MonitorSnapshot): MonitorSnapshot | null {
    const now = this.monitor.getSnapshot();
    if (now.forced !== null) return now.forced && before.forced !== true ? now : null;
    // While maintenance was forced off, the active windows refused no call, so all of them count as started since.
    const known = before.forced === false ? NO_WINDOWS : before.active;
    const active = now.active.filter((window) => !known.some((other) => isSameOccurrence(other, window)));
    return active.length > 0 ? { ...now, active } : null;
  }

  #createRefusal(windows: readonly StoredWindow[], now = this.clock.now()): Refusal {
    return this.#refusalFactory.create(windows, now);
  }

  /**
   * Returns the windows that cover the call and do not admit the client's address; an empty list if maintenance is
   * forced on.
   *
   * @returns the decision where no window is left
   */
  #findRefusingWindows(
    snapshot: MonitorSnapshot,
    call: PolicyInput,
  ): readonly StoredWindow[] | 'admitted' | 'exempt' | 'undecided' {
    const covering = this.#findCoveringWindows(snapshot, call);
    if (covering === null) return 'admitted';
    const active = this.#windowAddresses.findRefusing(snapshot.active, call.request);
    if (active.length === snapshot.active.length) return covering;
    const refusing = this.#findCoveringWindows({ ...snapshot, active }, call);
    return refusing ?? (covering === 'undecided' ? covering : 'exempt');
  }

  /** Returns the active windows that cover the call: `null` if none does, an empty list if maintenance is forced on. */
  #findCoveringWindows(
    { forced, active }: MonitorSnapshot,
    call: PolicyInput,
  ): readonly StoredWindow[] | null | 'undecided' {
    if (forced !== null) return forced ? NO_WINDOWS : null;
    if (active.length === 0) return null;
    const { rules, context } = call;
    // A read-only window never covers a call that reads, whatever its scope.
    const refusing = active.filter(({ mode }) => mode === 'full' || getAccess(call) === 'write');
    const isNamed = ({ scope }: StoredWindow): boolean =>
      scope === ALL_SCOPES || rules?.scopes.includes(scope) === true;
    const named = refusing.filter(isNamed);
    if (!this.options.scopesOf || rules === null || named.length === refusing.length) return nullIfEmpty(named);
    if (!context) return this.#isAlreadyDecisive(named, refusing) ? named : 'undecided';
    const dynamic = this.#getDynamicScopes(context);
    return nullIfEmpty(
      refusing.filter((window) => isNamed(window) || dynamic === null || dynamic.includes(window.scope)),
    );
  }

  /** Whether `some` of the windows give the same refusal as `all`, so that the guard need not look at the others. */
  #isAlreadyDecisive(some: readonly StoredWindow[], all: readonly StoredWindow[]): boolean {
    return some.length > 0 && this.#createRefusal(some).window?.id === this.#createRefusal(all).window?.id;
  }

  /** Calls `scopesOf`; `null` where it fails, so that every window covers the call. */
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

function isInactive({ forced, active }: MonitorSnapshot): boolean {
  return forced === null ? active.length === 0 : !forced;
}

function isCoveredByFullWindow({ scopes }: Pick<HandlerRules, 'scopes'>, { forced, active }: MonitorSnapshot): boolean {
  return forced ?? active.some(({ mode, scope }) => mode === 'full' && scopes.includes(scope));
}

// Each occurrence of a recurring window counts as a window of its own.
function isSameOccurrence(a: StoredWindow, b: StoredWindow): boolean {
  return a.id === b.id && (b.recurrence === undefined || a.startsAt === b.startsAt);
}

function nullIfEmpty(windows: readonly StoredWindow[]): readonly StoredWindow[] | null {
  return windows.length > 0 ? windows : null;
}

function getAccess({ rules, request, access }: PolicyInput): Access {
  return rules?.access ?? access ?? (request && READ_METHODS.has(request.method) ? 'read' : 'write');
}
