import { CallInFlight, trackCall, type TrackedHandler } from '../../drain/call-in-flight.js';
import type { ExecuteOperation } from './graphql-driver.js';
import { findDefinition, toOperation, type Operation } from './graphql-operation.js';
import type { GraphqlServer } from './graphql-server.js';
import type { ExecutedOperation } from './graphql-call-context.js';

/**
 * Counts queries and mutations over WebSockets while they are executed; over HTTP, their requests count. Subscriptions
 * do not count, as a window ends them.
 */
export function trackOperations(execute: ExecuteOperation, server: GraphqlServer): ExecuteOperation {
  return (args) => {
    const kind: Operation['kind'] | undefined = findDefinition(args.document, args.operationName)?.operation;
    if (!kind || kind === 'subscription') return execute(args);
    // The path comes from the application, while clients choose the name of an operation.
    const callee: TrackedHandler = {
      name: `${kind} ${server.path}`,
      becameRefusedSince: (before) => becameRefusedSince(server, args, before),
    };
    return trackCall(new CallInFlight(callee), server.deps, () => execute(args));
  };
}

function becameRefusedSince(
  { admission, requests, deps }: GraphqlServer,
  { document, operationName, contextValue }: ExecutedOperation,
  before: Parameters<TrackedHandler['becameRefusedSince']>[0],
): boolean {
  const request = requests.find(contextValue);
  // Only resolvers with `@UseGuards(MaintenanceGuard)` are refused, and the operation does not tell which.
  if (!deps.hasGlobalGuard) return deps.policy.becameRefusedSince({ rules: 'unclear', request, context: null }, before);
  return admission.becameRefusedSince(toOperation(document, operationName)!, request, before);
}
