import type { DocumentNode } from 'graphql';
import type { PolicyRequest } from '../../policy/request-path.js';
import { isRefusal } from './graphql-admission.js';
import { toOperation } from './graphql-operation.js';
import { getSocketExtra } from './graphql-requests.js';
import type { GraphqlServer } from './graphql-server.js';

/** Apollo's plugin, as far as it is needed here. */
export interface ApolloPlugin {
  requestDidStart(): Promise<{ didResolveOperation(operation: ResolvedOperation): Promise<void> } | undefined>;
}
interface ResolvedOperation {
  document: DocumentNode;
  operationName: string | null;
  contextValue: unknown;
}

type ContextFunction = (...args: unknown[]) => unknown;
type FrameworkRequest = PolicyRequest & { body?: unknown };

/**
 * Refuses operations after they were validated and before anything of them is executed: one by one, those of a batch and persisted
 * ones too. Introspection, which meets no guard, is decided here; so is what no resolver of Nest's answers.
 */
export function createMaintenancePlugin(server: GraphqlServer): ApolloPlugin {
  const { admission, requests, responses } = server;
  const didResolveOperation = async (resolved: ResolvedOperation): Promise<void> => {
    const { document, operationName, contextValue } = resolved;
    const operation = toOperation(document, operationName);
    if (!operation) return;
    const decision = await admission.decide(operation, requests.find(contextValue), false);
    if (decision === 'exempt') responses.markExempt(contextValue);
    if (!isRefusal(decision)) return;
    responses.markRefused(contextValue, decision);
    throw server.createError(decision);
  };
  return { requestDidStart: async () => (admission.isIdle ? undefined : { didResolveOperation }) };
}

/** Refuses before the application's own function makes a context, which may open a session, as far as the request alone tells. */
export function createGuardedContext(server: GraphqlServer, context: ContextFunction): ContextFunction {
  const { admission, deps: parts, responses } = server;
  return async (...args) => {
    const [first, reply] = args as [{ req?: object; res?: unknown } & object, unknown];
    if (getSocketExtra(first)) return context(...args);
    // Express gives both in one object, Fastify one after the other.
    const request = (first.req ?? first) as FrameworkRequest;
    responses.register(request, first.res ?? reply);
    if (server.canDecideEarly && !admission.isIdle) {
      const refusal = server.decideEarly(parts.httpIntegration.restoreUrl(request));
      if (refusal) {
        responses.markRefused({ req: request }, refusal);
        throw server.createError(refusal);
      }
    }
    return context(...args);
  };
}
