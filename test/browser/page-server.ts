import { once } from 'node:events';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

import Handlebars from 'handlebars';

import { DEFAULT_PAGE, DEFAULT_PAGE_CSP } from '../../libs/maintenance/src/http/page/default-page.js';
import { getPageTimes } from '../../libs/maintenance/src/http/page/page-times.js';

/** What a test changes about the refusal. */
export interface Refusal {
  title?: string;
  message?: string;
  readOnly?: boolean;
  /** Milliseconds since the epoch. */
  startsAt?: number;
  /** Milliseconds since the epoch. */
  endsAt?: number;
  /** Seconds; default: what is left of the window. */
  retryAfter?: number;
  statusCode?: number;
}

const render = Handlebars.compile(DEFAULT_PAGE);

/** Sends a page that is not ours. Without an icon the browser would look for one, and be counted. */
export function send(response: ServerResponse, status: number, html: string): void {
  response
    .writeHead(status, { 'content-type': 'text/html', 'cache-control': 'no-store' })
    .end(`<!doctype html><title>Shop</title><link rel="icon" href="data:,">${html}`);
}

/** Answers like an application under maintenance until it is told to be open. */
export class PageServer {
  /** `null`: the application works. */
  refusal: Refusal | null = {};
  /** Sent instead of everything else, for what a proxy or another template would say. */
  instead: ((response: ServerResponse) => void) | null = null;
  /** Sent to each HEAD, for what a proxy that knows no HEAD would say. */
  insteadOfHead: ((response: ServerResponse) => void) | null = null;
  /** A service worker to be had at `/worker.js`. */
  worker = '';
  readonly requests: string[] = [];
  private readonly server: Server = createServer((request, response) => this.answer(request, response));

  async start(): Promise<void> {
    await once(this.server.listen(0, '127.0.0.1'), 'listening');
  }

  get origin(): string {
    return `http://127.0.0.1:${(this.server.address() as AddressInfo).port}`;
  }

  /** How often a method was used. */
  count(method: string): number {
    return this.requests.filter((line) => line.startsWith(`${method} `)).length;
  }

  async stop(): Promise<void> {
    this.server.close();
    this.server.closeAllConnections();
    await once(this.server, 'close');
  }

  private answer(request: IncomingMessage, response: ServerResponse): void {
    this.requests.push(`${request.method} ${request.url}`);
    if (request.url === '/worker.js') {
      response.writeHead(200, { 'content-type': 'text/javascript' }).end(this.worker);
      return;
    }
    if (request.method === 'HEAD' && this.insteadOfHead) return this.insteadOfHead(response);
    if (this.instead) return this.instead(response);
    if (!this.refusal) return this.work(request, response);
    const { title = 'Under maintenance', message = 'We are moving to new machines.', readOnly = false } = this.refusal;
    const { startsAt = null, endsAt = null, statusCode = 503 } = this.refusal;
    const left = endsAt === null ? 3600 : Math.max(1, Math.ceil((endsAt - Date.now()) / 1000));
    const retryAfter = this.refusal.retryAfter ?? left;
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
      .end(render({ ...context, ...getPageTimes(context, Date.now()) }));
  }

  private work(request: IncomingMessage, response: ServerResponse): void {
    send(response, 200, `<p id="shop">${request.method}</p>`);
  }
}
