import { once } from 'node:events';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

import { PageRenderer, type PageRendererOptions } from '../../libs/maintenance/src/page/page-renderer.js';

/** The values of a refusal that a test sets; the others have defaults. */
export interface Refusal {
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
  /** The option `response.page`. */
  page: PageRendererOptions['page'] = {};
  readonly requests: string[] = [];
  private readonly server: Server = createServer((request, response) => void this.handle(request, response));

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

  private async handle(request: IncomingMessage, response: ServerResponse): Promise<void> {
    this.requests.push(`${request.method} ${request.url}`);
    if (request.url === '/worker.js') {
      response.writeHead(200, { 'content-type': 'text/javascript' }).end(this.serviceWorker);
      return;
    }
    if (request.method === 'HEAD' && this.headOverride) return this.headOverride(response);
    if (this.override) return this.override(response);
    if (!this.refusal) return sendHtml(response, 200, `<p id="shop">${request.method}</p>`);
    await this.refuse(this.refusal, request, response);
  }

  private async refuse(refusal: Refusal, request: IncomingMessage, response: ServerResponse): Promise<void> {
    const { message = 'We are moving to new machines.', readOnly = false } = refusal;
    const { startsAt = null, endsAt = null, statusCode = 503 } = refusal;
    const renderer = await PageRenderer.create({ page: this.page });
    const { languages } = renderer;
    const language = await languages.load(languages.negotiate(request.headers['accept-language'] ?? '', undefined));
    const now = this.now();
    const secondsLeft = endsAt === null ? 3600 : Math.max(1, Math.ceil((endsAt - now) / 1000));
    const retryAfter = refusal.retryAfter ?? secondsLeft;
    const context = renderer.createContext(
      {
        message,
        mode: readOnly ? 'read-only' : 'full',
        scope: '*',
        startsAt: startsAt === null ? null : new Date(startsAt).toISOString(),
        endsAt: endsAt === null ? null : new Date(endsAt).toISOString(),
        retryAfter,
        statusCode,
      },
      language,
      now,
    );
    response
      .writeHead(statusCode, {
        'content-type': 'text/html; charset=utf-8',
        'cache-control': 'no-store',
        'content-security-policy': renderer.contentSecurityPolicy,
        'retry-after': String(retryAfter),
      })
      .end(renderer.renderBuiltIn(context));
  }
}
