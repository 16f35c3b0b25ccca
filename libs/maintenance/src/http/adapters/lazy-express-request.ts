import type { IncomingMessage } from 'node:http';
import type { PolicyRequest } from '../../policy/request-path.js';
import type { AnswerableRequest } from '../responder.js';
import type { HttpBridge } from './http-bridge.interface.js';

/** A request that Express has not prepared yet. What only Express can tell is found out when it is asked for. */
export class LazyExpressRequest implements PolicyRequest, AnswerableRequest {
  readonly method: string;
  readonly url: string;
  readonly headers: IncomingMessage['headers'];
  #cachedExpressRequest: (PolicyRequest & AnswerableRequest) | null = null;

  constructor(
    private readonly raw: IncomingMessage,
    private readonly bridge: Pick<HttpBridge, 'toPolicyRequest'>,
    private readonly app: { enabled(setting: string): boolean },
  ) {
    this.method = raw.method ?? 'GET';
    this.url = raw.url ?? '/';
    this.headers = raw.headers;
  }

  get ip(): string | undefined {
    // Where no proxy is trusted, there is nothing to find out.
    return this.app.enabled('trust proxy') ? this.#expressRequest.ip : this.raw.socket.remoteAddress;
  }

  get host(): string | undefined {
    return this.#expressRequest.host;
  }

  get #expressRequest(): PolicyRequest & AnswerableRequest {
    return (this.#cachedExpressRequest ??= this.bridge.toPolicyRequest(this.raw));
  }
}
