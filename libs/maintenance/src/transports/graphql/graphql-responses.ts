import { enforcePrivateCaching, enforceRefusalHeaders, type RawResponse } from '../../http/answer.js';
import type { SharedEndpoint } from '../../http/shared-endpoints.js';
import type { HttpIntegration } from '../../http/http-integration.js';
import { negotiateFormat, negotiateGraphqlType } from '../../http/negotiation.js';
import { trackHandlerResult } from '../../drain/request-in-flight.js';
import { NO_HANDLERS, type ResolvedHandlers } from '../../http/routed-handlers.js';
import type { Refusal } from '../../policy/refusal.js';
import type { PolicyRequest } from '../../policy/request-path.js';
import { patchMethod } from '../../utils/patch-method.js';
import type { ExecutingServer } from './graphql-driver.js';
import { createRefusalError } from './refused-operation.error.js';
import { hasOperation } from './graphql-operation.js';

/** Creates the description of a GraphQL endpoint for the maintenance middleware. */
export function createGraphqlEndpoint(path: string, route: ResolvedHandlers, status: number): SharedEndpoint {
  return {
    path,
    transport: 'graphql',
    resolveHandlers: (request) =>
      route === 'unclear' || (hasOperation(request) && !wantsPage(request)) ? route : NO_HANDLERS,
    createAnswer: (refusal, request) => {
      if (wantsPage(request)) return null;
      const headers = { 'Content-Type': `${negotiateGraphqlType(getAcceptHeader(request))}; charset=utf-8` };
      return { status, headers, body: createErrorBody(refusal) };
    },
  };
}

// A browser that opens the URL asks for the explorer, whatever the query.
function wantsPage(request: PolicyRequest): boolean {
  const isView = request.method === 'GET' || request.method === 'HEAD';
  return isView && negotiateFormat(getAcceptHeader(request)) === 'html';
}

function getAcceptHeader({ headers }: PolicyRequest): string {
  return [headers?.accept ?? []].flat().join(', ');
}

/** Creates the body of a response to an operation that is refused before it is executed. */
export function createErrorBody(refusal: Refusal): Buffer {
  return Buffer.from(JSON.stringify({ errors: [createRefusalError(refusal)] }));
}

/** Sets headers on the HTTP responses of operations, whether Apollo or Nest writes them. */
export class GraphqlResponses {
  readonly #byRequest = new WeakMap<object, unknown>();
  /** The execution whose context is being created. */
  #execution: Promise<unknown> | null = null;

  constructor(
    private readonly httpIntegration: HttpIntegration,
    private readonly status: number,
  ) {}

  /** @param response - the response of the framework */
  register(request: object, response: unknown): void {
    this.#byRequest.set(request, response);
    if (this.#execution) void trackHandlerResult(this.httpIntegration.getRawResponse(response), this.#execution);
  }

  /** Counts requests until their operations are executed: a client that disconnects does not stop the resolvers. */
  trackExecutions(server: ExecutingServer): void {
    patchMethod(server, 'executeHTTPGraphQLRequest', (execute) => (request) => {
      // Apollo does not know the response. The context function gets it, and calls register() first.
      const context = (): unknown => {
        this.#execution = execution;
        try {
          return request.context();
        } finally {
          this.#execution = null;
        }
      };
      const execution = execute({ ...request, context });
      return execution;
    });
  }

  /**
   * Whether an operation came in an HTTP request, not over a socket.
   *
   * @param context - the GraphQL context of an operation
   */
  isOverHttp(context: unknown): boolean {
    return this.#findRawResponse(context) !== null;
  }

  /** @param context - the GraphQL context of an operation */
  markRefused(context: unknown, refusal: Refusal): void {
    const response = this.#findRawResponse(context);
    if (response) enforceRefusalHeaders(response, this.status, refusal);
  }

  /** @param context - the GraphQL context of an operation */
  markExempt(context: unknown): void {
    const response = this.#findRawResponse(context);
    if (response) enforcePrivateCaching(response);
  }

  #findRawResponse(context: unknown): RawResponse | null {
    const request = (context as { req?: unknown } | null | undefined)?.req;
    const response = typeof request === 'object' && request !== null ? this.#byRequest.get(request) : undefined;
    return response === undefined ? null : this.httpIntegration.getRawResponse(response);
  }
}
