import type { Access } from '../../policy/metadata.js';
import type { HandlerRules } from '../../policy/handler-rules.js';
import type { Decision, MaintenancePolicy, Visit } from '../../policy/maintenance-policy.js';
import type { Refusal } from '../../policy/refusal.js';
import type { PolicyRequest } from '../../policy/request-path.js';
import { EVERYTHING } from '../../core/maintenance-window.js';
import type { Situation } from '../../core/state-monitor.js';
import type { Operation } from './operation.js';
import type { RootField, RootFields } from './root-fields.js';

/** Introspection and `__typename`, which no decorator speaks for. */
const UNMARKED: HandlerRules = {
  verdict: null,
  scopes: [EVERYTHING],
  access: 'read',
  isAdmin: false,
  isEventStream: false,
  probe: null,
};

/** What the policy says of operations: of all their root fields together. */
export class GraphqlAdmission {
  /** The rules of everything that an operation may ask for. */
  readonly allRules: HandlerRules[];
  readonly #hasForced: boolean;

  constructor(
    private readonly policy: MaintenancePolicy,
    private readonly fields: RootFields,
  ) {
    this.allRules = [...fields.all.map(({ kind, rules }) => withAccess(rules, accessOf(kind))), UNMARKED];
    this.#hasForced = fields.hasForced;
  }

  /** Whether no operation needs a closer look: the short way while maintenance is off. */
  get isIdle(): boolean {
    return this.policy.isIdle && !this.#hasForced;
  }

  /**
   * Decides an operation before the guards run. One root field that is refused closes all of it.
   *
   * @param isEarly - the application's own functions are not asked yet: nobody knows the user
   */
  decide(operation: Operation, request: PolicyRequest | null, isEarly: boolean): Decision | Promise<Decision> {
    return this.#decide(operation, (field) => ({ rules: field?.rules ?? null, request, context: null, isEarly }));
  }

  /** Decides an operation that the guards have admitted before. */
  review(
    operation: Operation,
    request: PolicyRequest | null,
    contextOf: (field: RootField) => Visit['context'],
  ): Decision | Promise<Decision> {
    return this.#decide(operation, (field) => ({
      rules: field?.rules ?? null,
      request,
      context: field ? contextOf(field) : null,
    }));
  }

  /** The refusal of whatever may be asked for, if that is certain already. */
  foresee(request: PolicyRequest): Refusal | null {
    if (this.isIdle) return null;
    const decisions = this.allRules.map((rules) =>
      this.policy.decide({ rules, request, context: null, isEarly: true }),
    );
    return decisions.every(isRefusal) ? (decisions[0] as Refusal) : null;
  }

  /** Whether a window that was not yet active at `before` refuses an operation that was admitted. */
  isClosedSince(operation: Operation, request: PolicyRequest | null, before: Situation): boolean {
    const access = accessOf(operation.kind);
    return this.#findFields(operation).some((field) =>
      this.policy.closesSince({ rules: field?.rules ?? null, request, context: null, access }, before),
    );
  }

  #decide(operation: Operation, visitOf: (field: RootField | null) => Visit): Decision | Promise<Decision> {
    const decisions = this.#findFields(operation).map((field) =>
      this.policy.decide({ ...visitOf(field), access: accessOf(operation.kind) }),
    );
    return decisions.every(isCertain)
      ? together(decisions)
      : Promise.all(decisions.map(async (late) => late)).then(together);
  }

  /** @returns `null` for what no resolver of Nest's answers, and for an operation without fields */
  #findFields({ kind, fields }: Operation): (RootField | null)[] {
    const found = fields.flatMap((name): (RootField | null)[] => {
      const ofName = this.fields.at(kind, name);
      return ofName.length > 0 ? [...ofName] : [null];
    });
    return found.length > 0 ? found : [null];
  }
}

/** Queries and subscriptions read. */
export function accessOf(kind: Operation['kind']): Access {
  return kind === 'mutation' ? 'write' : 'read';
}

export function isRefusal(decision: Decision | Promise<Decision>): decision is Refusal {
  return typeof decision === 'object' && !(decision instanceof Promise);
}

function isCertain(decision: Decision | Promise<Decision>): decision is Decision {
  return !(decision instanceof Promise);
}

function together(decisions: Decision[]): Decision {
  const refusal = decisions.find(isRefusal);
  if (refusal) return refusal;
  if (decisions.includes('undecided')) return 'undecided';
  return decisions.includes('exempt') ? 'exempt' : 'admitted';
}

function withAccess(rules: HandlerRules, access: Access): HandlerRules {
  return { ...rules, access: rules.access ?? access };
}
