import type { Refusal } from '../policy/refusal.js';
import { normalizePath, type PolicyRequest } from '../policy/request-path.js';
import type { Answer } from './answer.js';
import type { HttpRequest } from './http-request.interface.js';
import type { ResolvedHandlers } from './routed-handlers.js';

/** A URL that many handlers share without routes of their own, such as that of GraphQL. */
export interface SharedEndpoint {
  /** The path, with the global prefix. */
  readonly path: string;
  /** The transport that its calls belong to. */
  readonly transport: string;
  /**
   * Returns the handlers that a request may reach; the middleware refuses a request if all of them would be refused.
   */
  resolveHandlers: (request: PolicyRequest) => ResolvedHandlers;
  /** Creates the refusal in the format of the endpoint's clients; `null`: the answer is that of every other URL. */
  createAnswer: (refusal: Refusal, request: HttpRequest) => Answer | null;
}

/** Finds shared endpoints by their URLs. */
export class SharedEndpoints {
  readonly #byPath = new Map<string, SharedEndpoint>();
  /** Whether the router ignores case and accepts longer paths, as Express does for mounted middleware. */
  hasLooseMatching = false;

  /** Adds an endpoint. */
  add(endpoint: SharedEndpoint): void {
    const { path } = endpoint;
    const normal = normalizePath(path) ?? path;
    this.#byPath.set(this.hasLooseMatching ? normal.toLowerCase() : normal, endpoint);
  }

  /** Finds the endpoint of a URL; none for a path that is not in normal form. */
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
