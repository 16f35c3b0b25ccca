import type { DocumentNode } from 'graphql';
import type { PolicyRequest } from '../../policy/request-path.js';
import { isRefusal } from './graphql-admission.js';
import { toOperation } from './graphql-operation.js';
import { getSocketExtra } from './graphql-requests.js';
import type { GraphqlServer } from './graphql-server.js';

/** The hooks of an Apollo plugin that are used here. */
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
 * Creates an Apollo plugin that refuses operations after they were validated and before they are executed: each of a
 * batch, and persisted ones too. Introspection and fields without a resolver of Nest, for which no guard runs, are
 * decided here.
 */
export function createMaintenancePlugin(server: GraphqlServer): ApolloPlugin {
  const { admission, requests, responses, refusedOperations } = server;
  const didResolveOperation = async (resolved: ResolvedOperation): Promise<void> => {
    const { document, operationName, contextValue } = resolved;
    const operation = toOperation(document, operationName);
    if (!operation) return;
    const decision = await admission.decide(operation, requests.find(contextValue), false);
    if (decision === 'exempt') responses.markExempt(contextValue);
    if (!isRefusal(decision)) return;
    responses.markRefused(contextValue, decision);
    refusedOperations.publish(decision, contextValue, operation.kind);
    throw server.createError(decision);
  };
  return { requestDidStart: async () => (admission.isIdle ? undefined : { didResolveOperation }) };
}

/**
 * Wraps the `context` function of the application, which may open a session: requests whose refusal is certain are
 * refused before it is called.
 */
export function createGuardedContext(server: GraphqlServer, context: ContextFunction): ContextFunction {
  const { admission, deps, responses, refusedOperations } = server;
  return async (...args) => {
    const [first, reply] = args as [{ req?: object; res?: unknown } & object, unknown];
    if (getSocketExtra(first)) return context(...args);
    // Express passes request and response in one object, Fastify as two arguments.
    const request = (first.req ?? first) as FrameworkRequest;
    responses.register(request, first.res ?? reply);
    if (server.canDecideEarly && !admission.isIdle) {
      const refusal = server.decideEarly(deps.httpIntegration.restoreUrl(request));
      if (refusal) {
        responses.markRefused({ req: request }, refusal);
        refusedOperations.publish(refusal, { req: request });
        throw server.createError(refusal);
      }
    }
    return context(...args);
  };
}
