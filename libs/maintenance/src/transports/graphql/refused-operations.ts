import type { SharedEndpoints } from '../../http/shared-endpoints.js';
import type { Refusal } from '../../policy/refusal.js';
import {
  describeRoute,
  hasRefusalSubscribers,
  publishRefusal,
  type RefusedCallOrigin,
} from '../../policy/refusal-channel.js';
import type { Operation } from './graphql-operation.js';
import type { GraphqlRequests } from './graphql-requests.js';
import type { GraphqlResponses } from './graphql-responses.js';

interface RefusedOperationsDeps {
  endpoints: SharedEndpoints;
  statusCode: number;
}

/** Publishes refused operations to the subscribers of refusals, by the path of their endpoint. */
export class RefusedOperations {
  /** The operation of a context that was published last: the guard refuses each of its root fields. */
  readonly #lastPublished = new WeakMap<object, object>();

  constructor(
    private readonly deps: RefusedOperationsDeps,
    private readonly requests: GraphqlRequests,
    private readonly responses: GraphqlResponses,
  ) {}

  /**
   * Publishes an operation.
   *
   * @param context - its GraphQL context
   * @param kind - `query` by default
   */
  publish(refusal: Refusal, context: unknown, kind: Operation['kind'] = 'query'): void {
    publishRefusal(refusal, () => this.#describe(context, kind));
  }

  /** Publishes an operation, unless another field of the same operation was published. */
  publishOnce(refusal: Refusal, context: unknown, operation?: { operation: Operation['kind'] }): void {
    if (!hasRefusalSubscribers()) return;
    if (isObject(context) && operation) {
      if (this.#lastPublished.get(context) === operation) return;
      this.#lastPublished.set(context, operation);
    }
    this.publish(refusal, context, operation?.operation);
  }

  /** Publishes a connection for subscriptions. */
  publishHandshake(refusal: Refusal, path: string): void {
    publishRefusal(refusal, () => this.#create(describeRoute('GET', path)));
  }

  #describe(context: unknown, kind: Operation['kind']): RefusedCallOrigin {
    const request = this.requests.find(context);
    const path = request ? this.deps.endpoints.find(request.url)?.path : undefined;
    // The request of an operation over a socket is the handshake.
    if (request && this.responses.isOverHttp(context)) return this.#create(describeRoute(request.method, path));
    return this.#create({ route: `${kind} ${path ?? '(no route)'}`, method: kind });
  }

  #create(route: Pick<RefusedCallOrigin, 'route' | 'method'>): RefusedCallOrigin {
    return { ...route, transport: 'graphql', status: this.deps.statusCode };
  }
}

function isObject(value: unknown): value is object {
  return typeof value === 'object' && value !== null;
}
