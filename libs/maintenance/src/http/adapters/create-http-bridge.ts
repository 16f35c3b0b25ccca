import type { AbstractHttpAdapter } from '@nestjs/core';
import { MaintenanceLogger } from '../../utils/maintenance-logger.js';
import type { RawResponse } from '../answer.js';
import { ConnectBridge } from './connect-bridge.js';
import { ExpressBridge } from './express-bridge.js';
import { FastifyBridge } from './fastify-bridge.js';
import { toPlainRequest, type HttpBridgeDeps, type HttpBridge } from './http-bridge.interface.js';

/** Creates the bridge to the application's HTTP adapter. Warns where the adapter is not known. */
export function createHttpBridge(adapter: AbstractHttpAdapter, deps: HttpBridgeDeps): HttpBridge {
  switch (adapter.getType()) {
    case 'express':
      return new ExpressBridge(adapter, deps);
    case 'fastify':
      return new FastifyBridge(adapter, deps);
    default:
      if (ConnectBridge.supports(adapter)) return new ConnectBridge(adapter, deps);
      new MaintenanceLogger().warn(
        `The HTTP adapter "${adapter.getType()}" is not known: handlers are guarded, but unknown URLs and static files are not, ` +
          'and `on --wait` never counts this instance as drained.',
      );
      deps.tracking.inFlight.addUncounted(`HTTP requests, as the adapter "${adapter.getType()}" is not known`);
      return createGuardOnlyBridge(adapter);
  }
}

function createGuardOnlyBridge(adapter: AbstractHttpAdapter): HttpBridge {
  return {
    attach: () => undefined,
    installMiddleware: () => undefined,
    getRawResponse: (response) => ((response as { raw?: RawResponse }).raw ?? response) as RawResponse,
    toPolicyRequest: toPlainRequest,
    getRoutePattern: () => undefined,
    send: (response, { status, headers, body }) => {
      for (const [name, value] of Object.entries(headers)) adapter.setHeader(response, name, value);
      adapter.reply(response, body, status);
    },
  };
}
