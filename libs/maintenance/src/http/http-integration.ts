import type { IncomingMessage } from 'node:http';
import type { ApplicationConfig, DiscoveryService, HttpAdapterHost } from '@nestjs/core';
import { createHttpBridge } from './adapters/create-http-bridge.js';
import { toPlainRequest, type HttpBridgeDeps, type HttpBridge } from './adapters/http-bridge.interface.js';
import type { PolicyRequest } from '../policy/request-path.js';
import type { Answer, RawResponse } from './answer.js';
import { MaintenanceExceptionFilter } from './maintenance-exception.filter.js';
import type { AnswerableRequest, Responder } from './responder.js';
import type { RoutedHandlers } from './routed-handlers.js';

/** Mounts the HTTP side on whatever adapter the application has; there is none in an application context. */
export class HttpIntegration {
  #bridge: HttpBridge | null = null;

  constructor(
    private readonly host: HttpAdapterHost,
    private readonly deps: HttpBridgeDeps,
    private readonly responder: Responder,
  ) {}

  /** Waits for the adapter: a testing module gets one only after it was compiled. */
  attach(): void {
    this.host.init$.subscribe(() => {
      const { httpAdapter } = this.host;
      if (!httpAdapter || this.#bridge) return;
      this.#bridge = createHttpBridge(httpAdapter, this.deps);
      this.#bridge.attach();
    });
  }

  /** What has to happen when all controllers are known and no route is registered yet. */
  configure(discovery: DiscoveryService, config: ApplicationConfig): void {
    this.deps.handlers.markHandlers(discovery);
    // Of the global filters the last one added is asked first, so that a catch-all of the application's own does not get there.
    config.useGlobalFilters(new MaintenanceExceptionFilter(this, this.responder));
    this.installMiddleware();
  }

  /** The handlers of the application's controllers. */
  get handlers(): RoutedHandlers {
    return this.deps.handlers;
  }

  /** Puts the edge at this place of the order in which requests are handled, unless it has one already. */
  installMiddleware(): void {
    this.#bridge?.installMiddleware();
  }

  /** Node's server behind the adapter; `undefined` where there is no adapter. */
  get server(): object | undefined {
    return this.host.httpAdapter?.getHttpServer() as object | undefined;
  }

  /** Node's response behind the framework's. */
  getRawResponse(response: unknown): RawResponse {
    return this.#bridge ? this.#bridge.getRawResponse(response) : (response as RawResponse);
  }

  /** Node's request as the policy looks at it, where the adapter never saw it: a socket's handshake. */
  toPolicyRequest(raw: IncomingMessage): PolicyRequest & AnswerableRequest {
    return this.#bridge?.toPolicyRequest(raw) ?? toPlainRequest(raw);
  }

  /** Returns the request with the URL that the router was given, where the framework has cut off a part of it since. */
  restoreUrl<T extends PolicyRequest>(request: T): T {
    return this.#bridge?.restoreUrl?.(request) ?? request;
  }

  /** Ends a request with the answer. */
  send(response: unknown, answer: Answer): void {
    this.#bridge?.send(response, answer);
  }
}
