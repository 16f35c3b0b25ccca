import type { GraphQLError } from 'graphql';
import type { Decision } from '../../policy/maintenance-policy.js';
import { isRefusal } from './graphql-admission.js';
import { GraphqlCallContext, type ExecutedOperation } from './graphql-call-context.js';
import { RefusedOperationError } from './refused-operation.error.js';
import { findDefinition, toOperation, type Operation, type SentOperation } from './graphql-operation.js';
import type { LegacyParams, LegacyServer, LegacySocket, ExecuteOperation } from './graphql-driver.js';
import type { GraphqlServer } from './graphql-server.js';
import { trackOperations } from './track-operations.js';
import { createAbortableIterator, createFailedIterator, type AbortableIterator } from './abortable-iterator.js';

/** The hooks of graphql-ws that are used here. */
export interface SubscriptionHooks {
  execute?: ExecuteOperation;
  onSubscribe?(context: unknown, id: string, payload: SentOperation): unknown;
  onOperation?(context: unknown, id: string, payload: SentOperation, args: ExecutedOperation, result: unknown): unknown;
}

interface OpenSubscription {
  source: AbortableIterator;
  /** Decides about the subscription again. */
  decide: () => Decision | Promise<Decision>;
  createError: GraphqlServer['createError'];
}

/** The open subscriptions of all endpoints of the application. */
export class OpenSubscriptions {
  readonly #open = new Set<OpenSubscription>();

  /** Ends the subscriptions that windows refuse now, with the error that new ones get. */
  closeRefused(): void {
    for (const open of this.#open) void this.#closeIfRefused(open);
  }

  /** Extends the application's hooks, so that new subscriptions are refused and open ones end. */
  createHooks(server: GraphqlServer, own: SubscriptionHooks): SubscriptionHooks {
    return {
      ...own,
      onSubscribe: async (context, id, payload) => {
        const refused = await findRefusalErrors(server, context, server.parseOperation(payload));
        if (refused) return refused;
        // The application may return another document, such as that of a persisted query.
        const theirs = await own.onSubscribe?.(context, id, payload);
        const { document, operationName } = (theirs ?? {}) as Partial<ExecutedOperation>;
        return (document && (await findRefusalErrors(server, context, toOperation(document, operationName)))) ?? theirs;
      },
      onOperation: async (context, id, payload, args, result) => {
        const theirs = await own.onOperation?.(context, id, payload, args, result);
        return this.#trackSubscription(server, args, theirs ?? result) ?? theirs;
      },
    };
  }

  /** Refuses and ends subscriptions of the older protocol, whose server has no such hooks. */
  attachToLegacyServer(legacy: LegacyServer, server: GraphqlServer): void {
    const { onOperation } = legacy;
    legacy.onOperation = async (message: unknown, params: LegacyParams, socket: LegacySocket) => {
      const theirs = onOperation ? await onOperation.call(legacy, message, params, socket) : params;
      const { context } = (theirs ?? {}) as LegacyParams;
      if (typeof context === 'object' && context !== null) server.requests.setHandshake(context, socket.upgradeReq);
      return theirs;
    };
    legacy.execute = trackOperations(legacy.execute, server);
    if (!server.deps.hasGlobalGuard) return;
    const guarded =
      (run: ExecuteOperation): ExecuteOperation =>
      async (args) => {
        const { document, operationName, contextValue } = args;
        const refused = await findRefusalErrors(server, contextValue, toOperation(document, operationName));
        // A thrown error would reach the client without its extensions.
        if (refused) return createFailedIterator(refused[0]!);
        const result = await run(args);
        return this.#trackSubscription(server, args, result) ?? result;
      };
    legacy.execute = guarded(legacy.execute);
    if (legacy.subscribe) legacy.subscribe = guarded(legacy.subscribe);
  }

  #trackSubscription(server: GraphqlServer, args: ExecutedOperation, result: unknown): AsyncGenerator<unknown> | null {
    const refused = findGuardRefusal(args, result);
    // A refusal before the first event ends the subscription, and is no event.
    if (refused) return createFailedIterator(refused);
    if (!isAsyncIterable(result)) return null;
    const source = createAbortableIterator(result, () => this.#open.delete(open));
    const open: OpenSubscription = {
      source,
      decide: () => decideSubscriptionAgain(server, args),
      createError: (refusal) => server.createError(refusal),
    };
    this.#open.add(open);
    // A window may have started since the guard has decided.
    if (!server.admission.isIdle) void this.#closeIfRefused(open);
    return source.events;
  }

  async #closeIfRefused({ source, decide, createError }: OpenSubscription): Promise<void> {
    const decision = await decide();
    if (isRefusal(decision)) source.abort(createError(decision));
  }
}

/** Returns the errors for a subscription that is refused before it is executed. */
async function findRefusalErrors(
  server: GraphqlServer,
  context: unknown,
  operation: Operation | null,
): Promise<GraphQLError[] | undefined> {
  const { admission, requests } = server;
  if (!server.canDecideEarly || admission.isIdle) return undefined;
  const decision = operation && (await admission.decide(operation, requests.find(context), false));
  if (decision === null || !isRefusal(decision)) return undefined;
  server.refusedOperations.publish(decision, context, operation?.kind);
  return [server.createError(decision)];
}

function decideSubscriptionAgain(
  { admission, requests }: GraphqlServer,
  args: ExecutedOperation,
): Decision | Promise<Decision> {
  if (admission.isIdle) return 'admitted';
  const { document, operationName, contextValue } = args;
  const operation = toOperation(document, operationName);
  if (!operation) return 'admitted';
  const definition = findDefinition(document, operationName);
  const request = requests.find(contextValue);
  return admission.decideAgain(operation, request, (field) => new GraphqlCallContext(field, args, definition));
}

function findGuardRefusal({ document, operationName }: ExecutedOperation, result: unknown): GraphQLError | undefined {
  if (toOperation(document, operationName)?.kind !== 'subscription') return undefined;
  const { errors } = (result ?? {}) as { errors?: readonly GraphQLError[] };
  return errors?.find(({ originalError }) => originalError instanceof RefusedOperationError);
}

function isAsyncIterable(value: unknown): value is AsyncIterable<unknown> {
  return typeof (value as Partial<AsyncIterable<unknown>> | null)?.[Symbol.asyncIterator] === 'function';
}
