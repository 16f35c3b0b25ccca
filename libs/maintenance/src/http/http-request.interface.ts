import type { PolicyRequest } from '../policy/request-path.js';

/**
 * Describes a request as far as the decision and the answer depend on it. The requests of Express and of Fastify both
 * match.
 */
export interface HttpRequest extends PolicyRequest {
  readonly headers: Record<string, string | string[] | undefined>;
  /** The host with its port, by the adapter's trust-proxy setting. */
  readonly host?: string;
}
