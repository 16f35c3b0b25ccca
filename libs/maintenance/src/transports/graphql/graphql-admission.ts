import type { Access, HandlerRules } from '../../policy/handler-rules.js';
import type { Decision, MaintenancePolicy, PolicyInput } from '../../policy/maintenance-policy.js';
import type { Refusal } from '../../policy/refusal.js';
import type { PolicyRequest } from '../../policy/request-path.js';
import { ALL_SCOPES } from '../../core/maintenance-window.js';
import type { MonitorSnapshot } from '../../core/state-monitor.js';
import type { Operation } from './graphql-operation.js';
import type { RootField, RootFields } from './root-fields.js';

/** The rules of introspection and `__typename`, which have no decorators. */
const DEFAULT_RULES: HandlerRules = {
  override: null,
  scopes: [ALL_SCOPES],
  access: 'read',
  isAdmin: false,
  isEventStream: false,
  probeKind: null,
};

/** Decides about operations, by all of their root fields together. */
export class GraphqlAdmission {
  /** The rules of every root field. */
  readonly allRules: HandlerRules[];
  readonly #hasForcedFields: boolean;

  constructor(
    private readonly policy: MaintenancePolicy,
    private readonly fields: RootFields,
  ) {
    this.allRules = [
      ...fields.all.map(({ kind, rules }) => copyWithAccess(rules, getOperationAccess(kind))),
      DEFAULT_RULES,
    ];
    this.#hasForcedFields = fields.hasForcedFields;
  }

  /** Whether operations may skip the decision: maintenance is off, and no field has `@ForceMaintenance()`. */
  get isIdle(): boolean {
    return this.policy.isIdle && !this.#hasForcedFields;
  }

  /**
   * Decides an operation before the guards run. One refused root field refuses the whole operation.
   *
   * @param isEarly - whether callbacks of the application are not called yet, as the user is not known
   */
  decide(operation: Operation, request: PolicyRequest | null, isEarly: boolean): Decision | Promise<Decision> {
    return this.#decide(operation, (field) => ({
      rules: field?.rules ?? null,
      request,
      context: null,
      isSyncOnly: isEarly,
    }));
  }

  /** Decides an operation that the guards have admitted before. */
  decideAgain(
    operation: Operation,
    request: PolicyRequest | null,
    createContext: (field: RootField) => PolicyInput['context'],
  ): Decision | Promise<Decision> {
    return this.#decide(operation, (field) => ({
      rules: field?.rules ?? null,
      request,
      context: field ? createContext(field) : null,
    }));
  }

  /** Returns the refusal of any operation, if every root field is refused for certain; `null` otherwise. */
  decideEarly(request: PolicyRequest): Refusal | null {
    if (this.isIdle) return null;
    const decisions = this.allRules.map((rules) =>
      this.policy.decide({ rules, request, context: null, isSyncOnly: true }),
    );
    return decisions.every(isRefusal) ? (decisions[0] as Refusal) : null;
  }

  /** Whether a window that started after `before` refuses an operation that was admitted. */
  becameRefusedSince(operation: Operation, request: PolicyRequest | null, before: MonitorSnapshot): boolean {
    const access = getOperationAccess(operation.kind);
    return this.#findFields(operation).some((field) =>
      this.policy.becameRefusedSince({ rules: field?.rules ?? null, request, context: null, access }, before),
    );
  }

  #decide(operation: Operation, toPolicyInput: (field: RootField | null) => PolicyInput): Decision | Promise<Decision> {
    const decisions = this.#findFields(operation).map((field) =>
      this.policy.decide({ ...toPolicyInput(field), access: getOperationAccess(operation.kind) }),
    );
    return decisions.every(isSynchronous)
      ? combineDecisions(decisions)
      : Promise.all(decisions.map(async (late) => late)).then(combineDecisions);
  }

  /** @returns `null` for a field without a resolver of Nest, and for an operation without fields */
  #findFields({ kind, fields }: Operation): (RootField | null)[] {
    const found = fields.flatMap((name): (RootField | null)[] => {
      const resolved = this.fields.find(kind, name);
      return resolved.length > 0 ? [...resolved] : [null];
    });
    return found.length > 0 ? found : [null];
  }
}

/** Returns whether an operation reads or writes: only mutations write. */
export function getOperationAccess(kind: Operation['kind']): Access {
  return kind === 'mutation' ? 'write' : 'read';
}

/** Whether a decision is a refusal that is already known. */
export function isRefusal(decision: Decision | Promise<Decision>): decision is Refusal {
  return typeof decision === 'object' && !(decision instanceof Promise);
}

function isSynchronous(decision: Decision | Promise<Decision>): decision is Decision {
  return !(decision instanceof Promise);
}

function combineDecisions(decisions: Decision[]): Decision {
  const refusal = decisions.find(isRefusal);
  if (refusal) return refusal;
  if (decisions.includes('undecided')) return 'undecided';
  return decisions.includes('exempt') ? 'exempt' : 'admitted';
}

function copyWithAccess(rules: HandlerRules, access: Access): HandlerRules {
  return { ...rules, access: rules.access ?? access };
}
