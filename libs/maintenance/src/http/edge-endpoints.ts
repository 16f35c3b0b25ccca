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
  /** Whether the router takes other cases and longer paths for the same, as Express does where something is mounted. */
  isLoose = false;

  /** @param path - as it is mounted, the global prefix included */
  add(path: string, endpoint: EdgeEndpoint): void {
    const normal = normalPath(path) ?? path;
    this.#ofPath.set(this.isLoose ? normal.toLowerCase() : normal, endpoint);
  }

  /** The endpoint at this URL. A path that is not in normal form is none. */
  at(url: string): EdgeEndpoint | undefined {
    if (this.#ofPath.size === 0) return undefined;
    const path = normalPath(url);
    if (path === undefined) return undefined;
    if (!this.isLoose) return this.#ofPath.get(path);
    const lower = path.toLowerCase();
    for (const [mounted, endpoint] of this.#ofPath) {
      if (lower === mounted || lower.startsWith(mounted === '/' ? mounted : `${mounted}/`)) return endpoint;
    }
    return undefined;
  }
}
