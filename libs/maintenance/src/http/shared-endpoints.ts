import type { Refusal } from '../policy/refusal.js';
import { normalizePath, type PolicyRequest } from '../policy/request-path.js';
import type { Answer } from './answer.js';
import type { HttpRequest } from './http-request.interface.js';
import type { ResolvedHandlers } from './routed-handlers.js';

/** A URL behind which many handlers stand that the router knows nothing of, such as those of GraphQL. */
export interface SharedEndpoint {
  /** All handlers that the request may lead to; the edge refuses what all of them refuse. */
  resolveHandlers: (request: PolicyRequest) => ResolvedHandlers;
  /** The answer to who is refused, in the language of its clients; `null`: that of every URL. */
  createAnswer: (refusal: Refusal, request: HttpRequest) => Answer | null;
}

/** Where the endpoints are. */
export class SharedEndpoints {
  readonly #byPath = new Map<string, SharedEndpoint>();
  /** Whether the router takes other cases and longer paths for the same, as Express does where something is mounted. */
  hasLooseMatching = false;

  /** @param path - as it is mounted, the global prefix included */
  add(path: string, endpoint: SharedEndpoint): void {
    const normal = normalizePath(path) ?? path;
    this.#byPath.set(this.hasLooseMatching ? normal.toLowerCase() : normal, endpoint);
  }

  /** The endpoint at this URL. A path that is not in normal form is none. */
  find(url: string): SharedEndpoint | undefined {
    if (this.#byPath.size === 0) return undefined;
    const path = normalizePath(url);
    if (path === undefined) return undefined;
    if (!this.hasLooseMatching) return this.#byPath.get(path);
    const lower = path.toLowerCase();
    for (const [mounted, endpoint] of this.#byPath) {
      if (lower === mounted || lower.startsWith(mounted === '/' ? mounted : `${mounted}/`)) return endpoint;
    }
    return undefined;
  }
}
