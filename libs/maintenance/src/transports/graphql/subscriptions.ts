import type { GraphQLError } from 'graphql';
import type { Decision } from '../../policy/maintenance-policy.js';
import { isRefusal } from './admission.js';
import { GraphqlCall, type ExecutedOperation } from './subscription-call.js';
import { RefusedOperation } from './errors.js';
import { definitionOf, operationOf, type Operation, type SentOperation } from './operation.js';
import type { LegacyParams, LegacyServer, LegacySocket, Run } from './driver.js';
import type { GraphqlServer } from './server.js';
import { countOperations } from './socket-operations.js';
import { endable, endsWith, type Endable } from './endable.js';

/** The options of graphql-ws that are needed here. */
export interface SubscriptionHooks {
  execute?: Run;
  onSubscribe?(context: unknown, id: string, payload: SentOperation): unknown;
  onOperation?(context: unknown, id: string, payload: SentOperation, args: ExecutedOperation, result: unknown): unknown;
}

interface Open {
  source: Endable;
  /** What the policy says of it now. */
  decide: () => Decision | Promise<Decision>;
  errorOf: GraphqlServer['errorOf'];
}

/** The subscriptions that are open, over all endpoints of the application. */
export class OpenSubscriptions {
  readonly #open = new Set<Open>();

  /** Ends those which are closed now, with the error that new ones get. */
  review(): void {
    for (const open of this.#open) void this.#review(open);
  }

  /** Adds what refuses new subscriptions, and ends open ones, to the hooks of the application's own. */
  hooksFor(server: GraphqlServer, own: SubscriptionHooks): SubscriptionHooks {
    return {
      ...own,
      onSubscribe: async (context, id, payload) => {
        const refused = await refusalOf(server, context, server.read(payload));
        if (refused) return refused;
        // A document in its place, such as that of a persisted query.
        const theirs = await own.onSubscribe?.(context, id, payload);
        const { document, operationName } = (theirs ?? {}) as Partial<ExecutedOperation>;
        return (document && (await refusalOf(server, context, operationOf(document, operationName)))) ?? theirs;
      },
      onOperation: async (context, id, payload, args, result) => {
        const theirs = await own.onOperation?.(context, id, payload, args, result);
        return this.#follow(server, args, theirs ?? result) ?? theirs;
      },
    };
  }

  /** Does the same for the older protocol, whose server has no such hooks. */
  attachTo(legacy: LegacyServer, server: GraphqlServer): void {
    const { onOperation } = legacy;
    legacy.onOperation = async (message: unknown, params: LegacyParams, socket: LegacySocket) => {
      const theirs = onOperation ? await onOperation.call(legacy, message, params, socket) : params;
      const { context } = (theirs ?? {}) as LegacyParams;
      if (typeof context === 'object' && context !== null) server.requests.noteHandshake(context, socket.upgradeReq);
      return theirs;
    };
    legacy.execute = countOperations(legacy.execute, server);
    if (!server.parts.hasGuard) return;
    const guarded =
      (run: Run): Run =>
      async (args) => {
        const { document, operationName, contextValue } = args;
        const refused = await refusalOf(server, contextValue, operationOf(document, operationName));
        // An error that is thrown would reach the client without its extensions.
        if (refused) return endsWith(refused[0]!);
        const result = await run(args);
        return this.#follow(server, args, result) ?? result;
      };
    legacy.execute = guarded(legacy.execute);
    if (legacy.subscribe) legacy.subscribe = guarded(legacy.subscribe);
  }

  #follow(server: GraphqlServer, args: ExecutedOperation, result: unknown): AsyncGenerator<unknown> | null {
    const refused = refusedByGuard(args, result);
    // A refusal before the first event is the end of the subscription, not an event of it.
    if (refused) return endsWith(refused);
    if (!isAsyncIterable(result)) return null;
    const source = endable(result, () => this.#open.delete(open));
    const open: Open = {
      source,
      decide: () => decideAgain(server, args),
      errorOf: (refusal) => server.errorOf(refusal),
    };
    this.#open.add(open);
    // Maintenance may have begun between the guard and here.
    if (!server.admission.isIdle) void this.#review(open);
    return source.events;
  }

  async #review({ source, decide, errorOf }: Open): Promise<void> {
    const decision = await decide();
    if (isRefusal(decision)) source.end(errorOf(decision));
  }
}

/** The errors for a subscription that is refused before anything of it is executed. */
async function refusalOf(
  server: GraphqlServer,
  context: unknown,
  operation: Operation | null,
): Promise<GraphQLError[] | undefined> {
  const { admission, requests } = server;
  if (!server.decidesEarly || admission.isIdle) return undefined;
  const decision = operation && (await admission.decide(operation, requests.find(context), false));
  return decision !== null && isRefusal(decision) ? [server.errorOf(decision)] : undefined;
}

function decideAgain({ admission, requests }: GraphqlServer, args: ExecutedOperation): Decision | Promise<Decision> {
  if (admission.isIdle) return 'admitted';
  const { document, operationName, contextValue } = args;
  const operation = operationOf(document, operationName);
  if (!operation) return 'admitted';
  const definition = definitionOf(document, operationName);
  const request = requests.find(contextValue);
  return admission.review(operation, request, (field) => new GraphqlCall(field, args, definition));
}

function refusedByGuard({ document, operationName }: ExecutedOperation, result: unknown): GraphQLError | undefined {
  if (operationOf(document, operationName)?.kind !== 'subscription') return undefined;
  const { errors } = (result ?? {}) as { errors?: readonly GraphQLError[] };
  return errors?.find(({ originalError }) => originalError instanceof RefusedOperation);
}

function isAsyncIterable(value: unknown): value is AsyncIterable<unknown> {
  return typeof (value as Partial<AsyncIterable<unknown>> | null)?.[Symbol.asyncIterator] === 'function';
}
