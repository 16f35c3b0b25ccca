import type { IncomingMessage, ServerResponse } from 'node:http';
import type { ApplicationConfig, DiscoveryService, HttpAdapterHost } from '@nestjs/core';
import { createHttpBridge } from './adapters/create-http-bridge.js';
import { toPlainRequest, type HttpBridgeDeps, type HttpBridge } from './adapters/http-bridge.interface.js';
import type { Class } from '../utils/discovery.js';
import type { PolicyRequest } from '../policy/request-path.js';
import type { Answer, RawResponse } from './answer.js';
import { MaintenanceExceptionFilter } from './maintenance-exception.filter.js';
import type { HttpRequest } from './http-request.interface.js';
import type { Responder } from './responder.js';
import type { RoutedHandlers } from './routed-handlers.js';

/** Answers a request past the application. */
export type RawHandler = (request: HttpRequest, response: ServerResponse) => void | Promise<void>;

/** Connects the module with the HTTP adapter of the application; an application context has none. */
export class HttpIntegration {
  #bridge: HttpBridge | null = null;

  constructor(
    private readonly host: HttpAdapterHost,
    private readonly deps: HttpBridgeDeps,
    private readonly responder: Responder,
  ) {}

  /** Hooks into the adapter as soon as Nest has it: a testing module gets one only after it was compiled. */
  attach(): void {
    this.host.init$.subscribe(() => {
      const { httpAdapter } = this.host;
      if (!httpAdapter || this.#bridge) return;
      this.#bridge = createHttpBridge(httpAdapter, this.deps);
      this.#bridge.attach();
    });
  }

  /**
   * Marks the handlers and installs filter and middleware. Has to run when all controllers are known and no route is
   * registered.
   */
  configure(discovery: DiscoveryService, config: ApplicationConfig): void {
    this.deps.handlers.markHandlers(discovery);
    // Nest asks the global filter that was added last first: a catch-all of the application comes after this one.
    config.useGlobalFilters(new MaintenanceExceptionFilter(this, this.responder));
    this.installMiddleware();
  }

  /** Returns the handlers of the application's controllers. */
  get handlers(): RoutedHandlers {
    return this.deps.handlers;
  }

  /** Installs the middleware behind those that are registered so far, unless it was installed before. */
  installMiddleware(): void {
    this.#bridge?.installMiddleware();
  }

  /**
   * Registers a route for GET past the guards, pipes, interceptors and filters of the application.
   *
   * @param controller - a class whose decorators decide whether maintenance refuses the route
   * @param handler - answers by Node's response
   */
  addRoute(controller: Class, path: string, handler: RawHandler): void {
    const routed = (request: HttpRequest, response: unknown): unknown => handler(request, this.takeOver(response));
    this.deps.handlers.markHandler({ controller, handler: routed });
    this.host.httpAdapter.get(path, routed);
  }

  /** Returns Node's server behind the adapter; `undefined` where there is no adapter. */
  get server(): object | undefined {
    return this.host.httpAdapter?.getHttpServer() as object | undefined;
  }

  /** Returns Node's response behind that of the framework. */
  getRawResponse(response: unknown): RawResponse {
    return this.#bridge ? this.#bridge.getRawResponse(response) : (response as RawResponse);
  }

  /** Returns Node's response for the caller to end, with the headers that the application has set so far. */
  takeOver(response: unknown): ServerResponse {
    return (this.#bridge?.takeOver?.(response) ?? this.getRawResponse(response)) as ServerResponse;
  }

  /** Converts a request that the adapter never saw, such as the handshake of a socket. */
  toPolicyRequest(raw: IncomingMessage): HttpRequest {
    return this.#bridge?.toPolicyRequest(raw) ?? toPlainRequest(raw);
  }

  /** Returns the request with the URL that the router got, where the framework has cut off a part of it since. */
  restoreUrl<T extends PolicyRequest>(request: T): T {
    return this.#bridge?.restoreUrl?.(request) ?? request;
  }

  /** Returns the path of the route that takes a request; `undefined` where there is none. */
  getRoutePattern(request: HttpRequest): string | undefined {
    return this.#bridge?.getRoutePattern(request);
  }

  /** Ends a request with an answer. */
  send(response: unknown, answer: Answer): void {
    this.#bridge?.send(response, answer);
  }
}
