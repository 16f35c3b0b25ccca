import { CallInFlight, counted, type Callee } from '../../drain/call-in-flight.js';
import type { Run } from './driver.js';
import { definitionOf, operationOf, type Operation } from './operation.js';
import type { GraphqlServer } from './server.js';
import type { ExecutedOperation } from './subscription-call.js';

/**
 * Counts queries and mutations that come over WebSockets while they are executed; over HTTP, their requests count. Subscriptions do
 * not count, as a window ends them.
 */
export function countOperations(execute: Run, server: GraphqlServer): Run {
  return (args) => {
    const kind: Operation['kind'] | undefined = definitionOf(args.document, args.operationName)?.operation;
    if (!kind || kind === 'subscription') return execute(args);
    // The path is the application's own, unlike the name of an operation.
    const callee: Callee = {
      name: `${kind} ${server.path}`,
      isClosedSince: (before) => isClosedSince(server, args, before),
    };
    return counted(new CallInFlight(callee), server.parts, () => execute(args));
  };
}

function isClosedSince(
  { admission, requests, parts }: GraphqlServer,
  { document, operationName, contextValue }: ExecutedOperation,
  before: Parameters<Callee['isClosedSince']>[0],
): boolean {
  const request = requests.find(contextValue);
  // Only some resolvers name the guard.
  if (!parts.hasGuard) return parts.policy.closesSince({ rules: 'unclear', request, context: null }, before);
  return admission.isClosedSince(operationOf(document, operationName)!, request, before);
}
