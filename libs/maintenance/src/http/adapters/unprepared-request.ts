import type { IncomingMessage } from 'node:http';
import type { PolicyRequest } from '../../policy/request-path.js';
import type { AnswerableRequest } from '../responder.js';
import type { HttpBridge } from './http-bridge.js';

/** A request that Express has not prepared yet. What only Express can tell is found out when it is asked for. */
export class UnpreparedRequest implements PolicyRequest, AnswerableRequest {
  readonly method: string;
  readonly url: string;
  readonly headers: IncomingMessage['headers'];
  #prepared: (PolicyRequest & AnswerableRequest) | null = null;

  constructor(
    private readonly raw: IncomingMessage,
    private readonly bridge: Pick<HttpBridge, 'requestOf'>,
  ) {
    this.method = raw.method ?? 'GET';
    this.url = raw.url ?? '/';
    this.headers = raw.headers;
  }

  get path(): string {
    return pathOf(this.url);
  }

  get ip(): string | undefined {
    return this.#asPrepared.ip;
  }

  get host(): string | undefined {
    return this.#asPrepared.host;
  }

  get #asPrepared(): PolicyRequest & AnswerableRequest {
    return (this.#prepared ??= this.bridge.requestOf(this.raw));
  }
}

/** A request target without its query. */
export function pathOf(url: string): string {
  const end = url.search(/[?#]/);
  return end === -1 ? url : url.slice(0, end);
}
