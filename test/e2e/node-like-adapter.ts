import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { RequestMethod } from '@nestjs/common';
import { AbstractHttpAdapter } from '@nestjs/core';
import { match } from 'path-to-regexp';

type Request = IncomingMessage & { originalUrl?: string; body?: unknown; params?: object; query?: object };
type Response = ServerResponse & { locals?: object };
type Next = (error?: unknown) => void;
type Handler = (request: Request, response: Response, next: Next) => unknown;
type ErrorHandler = (error: unknown, request: Request, response: Response, next: Next) => unknown;

interface Layer {
  /** `null`: all methods. */
  method: string | null;
  match: (path: string) => { path: string; params?: object } | false;
  /** Strips the mount path from the URL while the handler runs. */
  isMount: boolean;
  handler: Handler | ErrorHandler;
}

/** Runs middleware and routes in the order of their registration. */
class Router {
  readonly #layers: Layer[] = [];

  use(...args: unknown[]): void {
    const [path, handler] = typeof args[0] === 'string' ? (args as [string, Handler]) : ['/', args[0] as Handler];
    const isMount = path !== '/';
    const matches = isMount ? match(path, { end: false }) : (asked: string) => ({ path: asked });
    this.#layers.push({ method: null, match: matches, isMount, handler });
  }

  route(method: string | null, path: string, handler: Handler): void {
    this.#layers.push({ method, match: match(path), isMount: false, handler });
  }

  handle(request: Request, response: Response): void {
    const url = request.url!;
    request.originalUrl = url;
    request.query = Object.fromEntries(new URL(url, 'http://localhost').searchParams);
    response.locals = {};
    const layers = this.#layers.values();
    const next: Next = (error) => {
      request.url = url;
      for (const layer of layers) {
        if ((error !== undefined) !== (layer.handler.length === 4) || !acceptsMethod(layer.method, request)) continue;
        const found = layer.match(url.split('?')[0]!);
        if (!found) continue;
        if (!layer.isMount) request.params = found.params ?? {};
        else request.url = url.slice(found.path.length) || '/';
        return run(layer.handler, error, request, response, next);
      }
      response.statusCode = error === undefined ? 404 : 500;
      response.end('the router gave up');
    };
    next();
  }
}

function run(handler: Handler | ErrorHandler, error: unknown, request: Request, response: Response, next: Next): void {
  try {
    const result =
      error === undefined
        ? (handler as Handler)(request, response, next)
        : (handler as ErrorHandler)(error, request, response, next);
    void Promise.resolve(result).catch(next);
  } catch (thrown) {
    next(thrown);
  }
}

function acceptsMethod(method: string | null, request: Request): boolean {
  return method === null || method === request.method || (method === 'GET' && request.method === 'HEAD');
}

/**
 * An adapter for Node's own server with connect middleware. It has the shape of Nest's `NodeAdapter`, which the tested
 * versions do not have yet.
 */
export class NodeLikeAdapter extends AbstractHttpAdapter<Server, Request, Response> {
  /** Number of bodies that the parser started to read. */
  bodiesRead = 0;
  readonly #router: Router;

  constructor() {
    const router = new Router();
    super(router);
    this.#router = router;
    const self = this as unknown as Record<string, (path: string, handler: Handler) => void>;
    for (const verb of ['get', 'post', 'put', 'delete', 'patch', 'options', 'head'])
      self[verb] = (path, handler) => router.route(verb.toUpperCase(), path, handler);
    self.all = (path, handler) => router.route(null, path, handler);
  }

  getType(): string {
    return 'node';
  }

  initHttpServer(): void {
    this.httpServer = createServer((request, response) => this.#router.handle(request, response));
  }

  override listen(...args: unknown[]): Server {
    return this.httpServer.listen(...(args as []));
  }

  close(): Promise<void> {
    return new Promise((resolve) => this.httpServer.close(() => resolve()));
  }

  registerParserMiddleware(): void {
    this.use((request: Request, _response: Response, next: Next) => {
      if (!request.headers['content-type']?.includes('json')) return next();
      this.bodiesRead++;
      const chunks: Buffer[] = [];
      request.on('data', (chunk: Buffer) => chunks.push(chunk));
      request.on('end', () => {
        try {
          request.body = JSON.parse(Buffer.concat(chunks).toString());
          next();
        } catch (error) {
          next(error);
        }
      });
    });
  }

  setNotFoundHandler(handler: Handler, prefix?: string): void {
    if (prefix) this.use(prefix.startsWith('/') ? prefix : `/${prefix}`, handler);
    else this.use((request: Request, response: Response, next: Next) => handler(request, response, next));
  }

  setErrorHandler(handler: ErrorHandler): void {
    this.use(handler);
  }

  createMiddlewareFactory(method: RequestMethod): (path: string, callback: unknown) => void {
    return (path, callback) => {
      if (method in RequestMethod && method !== RequestMethod.ALL)
        this.#router.route(RequestMethod[method], path, callback as Handler);
      else this.use(path.replace(/\$$/, ''), callback);
    };
  }

  reply(response: Response, body: unknown, status?: number): void {
    if (status !== undefined) response.statusCode = status;
    if (body === undefined || body === null) return void response.end();
    const isText = typeof body !== 'object' || Buffer.isBuffer(body);
    if (!isText && !response.hasHeader('Content-Type')) response.setHeader('Content-Type', 'application/json');
    response.end(isText ? (body as string) : JSON.stringify(body));
  }

  render(response: Response, view: string, options: object): void {
    response.end(`${view}: ${JSON.stringify({ ...options })}`);
  }

  status(response: Response, status: number): void {
    response.statusCode = status;
  }

  end(response: Response, message?: string): void {
    response.end(message);
  }

  redirect(response: Response, status: number, url: string): void {
    response.writeHead(status, { location: url }).end();
  }

  getRequestHostname({ headers }: Request): string | undefined {
    return headers.host;
  }

  getRequestMethod({ method }: Request): string {
    return method!;
  }

  getRequestUrl({ originalUrl, url }: Request): string {
    return originalUrl ?? url!;
  }

  isHeadersSent({ headersSent }: Response): boolean {
    return headersSent;
  }

  getHeader(response: Response, name: string): unknown {
    return response.getHeader(name);
  }

  setHeader(response: Response, name: string, value: string): void {
    response.setHeader(name, value);
  }

  appendHeader(response: Response, name: string, value: string): void {
    response.appendHeader(name, value);
  }

  applyVersionFilter(handler: unknown): never {
    return handler as never;
  }

  useStaticAssets(): void {}
  setViewEngine(): void {}
  enableCors(): void {}
}
