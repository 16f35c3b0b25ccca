import { sealExempt, sealRefused, type RawResponse } from '../../http/answer.js';
import type { EdgeEndpoint } from '../../http/edge-endpoints.js';
import type { HttpMount } from '../../http/http-mount.js';
import { preferredFormat, preferredGraphqlType } from '../../http/negotiation.js';
import { noteHandling } from '../../drain/request-in-flight.js';
import { NO_HANDLER, type Route } from '../../http/routed-handlers.js';
import type { Refusal } from '../../policy/refusal.js';
import type { PolicyRequest } from '../../policy/request-path.js';
import { replaceMethod } from '../../utils/patch-method.js';
import type { ExecutingServer } from './driver.js';
import { refusedError } from './errors.js';
import { carriesOperation } from './operation.js';

/** What the edge has to know of a GraphQL endpoint. */
export function graphqlEndpoint(route: Route, status: number): EdgeEndpoint {
  return {
    route: (request) =>
      route === 'unclear' || (carriesOperation(request) && !wantsPage(request)) ? route : NO_HANDLER,
    answer: (refusal, request) => {
      if (wantsPage(request)) return null;
      const headers = { 'Content-Type': `${preferredGraphqlType(acceptOf(request))}; charset=utf-8` };
      return { status, headers, body: bodyOf(refusal) };
    },
  };
}

// A person at a browser, whom an explorer would greet, whatever the query.
function wantsPage(request: PolicyRequest): boolean {
  const isView = request.method === 'GET' || request.method === 'HEAD';
  return isView && preferredFormat(acceptOf(request)) === 'html';
}

function acceptOf({ headers }: PolicyRequest): string {
  return [headers?.accept ?? []].flat().join(', ');
}

export function bodyOf(refusal: Refusal): Buffer {
  return Buffer.from(JSON.stringify({ errors: [refusedError(refusal)] }));
}

/** The responses over HTTP that operations will leave with. Whoever writes them, Apollo or Nest, the headers are ours. */
export class GraphqlResponses {
  readonly #ofRequest = new WeakMap<object, unknown>();
  /** The execution whose context is being made. */
  #execution: Promise<unknown> | null = null;

  constructor(
    private readonly mount: HttpMount,
    private readonly status: number,
  ) {}

  /** @param response - of the framework */
  remember(request: object, response: unknown): void {
    this.#ofRequest.set(request, response);
    if (this.#execution) void noteHandling(this.mount.rawResponse(response), this.#execution);
  }

  /** Has requests count until their operations are executed: a client that goes away ends its response, and not the resolvers. */
  follow(server: ExecutingServer): void {
    replaceMethod(server, 'executeHTTPGraphQLRequest', (execute) => (request) => {
      // Apollo is told nothing of the response. Whoever makes the context gets it, and says so before anything else.
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

  /** @param context - the GraphQL context of an operation */
  refuse(context: unknown, refusal: Refusal): void {
    const response = this.#of(context);
    if (response) sealRefused(response, this.status, refusal.retryAfter);
  }

  /** @param context - the GraphQL context of an operation */
  exempt(context: unknown): void {
    const response = this.#of(context);
    if (response) sealExempt(response);
  }

  #of(context: unknown): RawResponse | null {
    const request = (context as { req?: unknown } | null | undefined)?.req;
    const response = typeof request === 'object' && request !== null ? this.#ofRequest.get(request) : undefined;
    return response === undefined ? null : this.mount.rawResponse(response);
  }
}
