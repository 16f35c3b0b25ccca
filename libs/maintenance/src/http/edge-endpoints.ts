import type { Refusal } from '../policy/refusal.js';
import { normalPath, type PolicyRequest } from '../policy/request-path.js';
import type { Answer } from './answer.js';
import type { AnswerableRequest } from './responder.js';
import type { Route } from './routed-handlers.js';

/** A URL behind which many handlers stand that the router knows nothing of, such as those of GraphQL. */
export interface EdgeEndpoint {
  /** All handlers that the request may lead to; the edge refuses what all of them refuse. */
  route: (request: PolicyRequest) => Route;
  /** The answer to who is refused, in the language of its clients; `null`: that of every URL. */
  answer: (refusal: Refusal, request: PolicyRequest & AnswerableRequest) => Answer | null;
}

/** Where the endpoints are. */
export class EdgeEndpoints {
  readonly #ofPath = new Map<string, EdgeEndpoint>();

  /** @param path - as it is mounted, the global prefix included */
  add(path: string, endpoint: EdgeEndpoint): void {
    this.#ofPath.set(normalPath(path) ?? path, endpoint);
  }

  /** The endpoint at this URL. A path that is not in normal form, or leads further, is none. */
  at(url: string): EdgeEndpoint | undefined {
    if (this.#ofPath.size === 0) return undefined;
    const path = normalPath(url);
    return path === undefined ? undefined : this.#ofPath.get(path);
  }
}
