import { once } from 'node:events';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

import Handlebars from 'handlebars';

import { DEFAULT_PAGE, DEFAULT_PAGE_CSP } from '../../libs/maintenance/src/http/page/default-page.js';
import { getPageTimes } from '../../libs/maintenance/src/http/page/page-times.js';

/** The values of a refusal that a test sets; the others have defaults. */
export interface Refusal {
  title?: string;
  message?: string;
  readOnly?: boolean;
  /** Milliseconds since the epoch. */
  startsAt?: number;
  /** Milliseconds since the epoch. */
  endsAt?: number;
  /**
   * In seconds.
   *
   * @defaultValue the remaining time of the window
   */
  retryAfter?: number;
  statusCode?: number;
}

const render = Handlebars.compile(DEFAULT_PAGE);

/** Sends a page other than the built-in one. Its icon is inline: the server would count the request for another one. */
export function sendHtml(response: ServerResponse, status: number, html: string): void {
  response
    .writeHead(status, { 'content-type': 'text/html', 'cache-control': 'no-store' })
    .end(`<!doctype html><title>Shop</title><link rel="icon" href="data:,">${html}`);
}

/** Responds as an application under maintenance, until a test sets {@link refusal} to `null`. */
export class PageServer {
  /** `null`: maintenance is off. */
  refusal: Refusal | null = {};
  /** Replaces every other response, such as by that of a proxy or of another template. */
  override: ((response: ServerResponse) => void) | null = null;
  /** Replaces the response to each HEAD, such as by that of a proxy without HEAD. */
  headOverride: ((response: ServerResponse) => void) | null = null;
  /** The source of the service worker at `/worker.js`. */
  serviceWorker = '';
  /** The clock of the server. */
  now: () => number = () => Date.now();
  readonly requests: string[] = [];
  private readonly server: Server = createServer((request, response) => this.handle(request, response));

  async start(): Promise<void> {
    await once(this.server.listen(0, '127.0.0.1'), 'listening');
  }

  get origin(): string {
    return `http://127.0.0.1:${(this.server.address() as AddressInfo).port}`;
  }

  /** Returns the number of requests with this method. */
  countRequests(method: string): number {
    return this.requests.filter((line) => line.startsWith(`${method} `)).length;
  }

  async stop(): Promise<void> {
    this.server.close();
    this.server.closeAllConnections();
    await once(this.server, 'close');
  }

  private handle(request: IncomingMessage, response: ServerResponse): void {
    this.requests.push(`${request.method} ${request.url}`);
    if (request.url === '/worker.js') {
      response.writeHead(200, { 'content-type': 'text/javascript' }).end(this.serviceWorker);
      return;
    }
    if (request.method === 'HEAD' && this.headOverride) return this.headOverride(response);
    if (this.override) return this.override(response);
    if (!this.refusal) return sendHtml(response, 200, `<p id="shop">${request.method}</p>`);
    this.refuse(this.refusal, response);
  }

  private refuse(refusal: Refusal, response: ServerResponse): void {
    const { title = 'Under maintenance', message = 'We are moving to new machines.', readOnly = false } = refusal;
    const { startsAt = null, endsAt = null, statusCode = 503 } = refusal;
    const now = this.now();
    const secondsLeft = endsAt === null ? 3600 : Math.max(1, Math.ceil((endsAt - now) / 1000));
    const retryAfter = refusal.retryAfter ?? secondsLeft;
    const context = {
      title,
      message,
      mode: readOnly ? 'read-only' : 'full',
      readOnly,
      scope: '*',
      startsAt: startsAt === null ? null : new Date(startsAt).toISOString(),
      endsAt: endsAt === null ? null : new Date(endsAt).toISOString(),
      retryAfter,
      statusCode,
    };
    response
      .writeHead(statusCode, {
        'content-type': 'text/html; charset=utf-8',
        'cache-control': 'no-store',
        'content-security-policy': DEFAULT_PAGE_CSP,
        'retry-after': String(retryAfter),
      })
      .end(render({ ...context, ...getPageTimes(context, now) }));
  }
}
