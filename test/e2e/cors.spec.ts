import fastifyCors from '@fastify/cors';
import { Controller, Get, Res, type INestApplication } from '@nestjs/common';
import type { NestFastifyApplication } from '@nestjs/platform-fastify';
import cors from 'cors';
import { MaintenanceScope, useMaintenance } from 'nestjs-maintenance';
import { WebSocketGateway } from '@nestjs/websockets';
import { ADAPTERS, start, type Adapter, type Running, type Setup } from './application.js';
import type { Reply } from './client.js';
import { poll } from './socket-clients.js';

const ORIGIN = 'https://shop.example.com';
const HOUR_MS = 3_600_000;
const OWN_NAMES = ['maintenance-announcement', 'maintenance-mode', 'retry-after'];

type CorsOptions = cors.CorsOptions;

@Controller()
class OrdersController {
  @MaintenanceScope('orders')
  @Get('orders')
  orders(): string {
    return 'orders';
  }

  @Get('open')
  open(): string {
    return 'open';
  }

  @Get('raw')
  raw(@Res() response: { send: (body: string) => void }): void {
    response.send('raw');
  }
}

@WebSocketGateway({ cors: { origin: ORIGIN, exposedHeaders: ['X-Total'] } })
class ChatGateway {}

/** Returns the names that a response exposes, in lower case and in alphabetical order. */
function getExposed({ headers }: Pick<Reply, 'headers'>): string[] {
  const exposed = headers['access-control-expose-headers'];
  return exposed === undefined ? [] : String(exposed).toLowerCase().split(/, */).sort();
}

/** The ways in which applications turn CORS on. */
function getCorsSetups(adapter: Adapter): [string, (app: INestApplication, options: CorsOptions) => unknown][] {
  return [
    ['enableCors()', (app, options) => app.enableCors(options)],
    adapter === 'express'
      ? [
          'the middleware before useMaintenance()',
          (app, options) => {
            app.use(cors(options));
            useMaintenance(app);
          },
        ]
      : ['@fastify/cors', (app, options) => (app as NestFastifyApplication).register(fastifyCors as never, options)],
  ];
}

describe.each(ADAPTERS)('CORS (%s)', (adapter) => {
  let running: Running;
  afterEach(() => running.close());

  const ask = (path: string, method = 'GET'): Promise<Reply> =>
    running.call(path, { method, headers: { origin: ORIGIN } });
  const startWith = async (main?: Setup['main'], options: Setup['options'] = {}): Promise<void> => {
    running = await start(adapter, { controllers: [OrdersController], options, ...(main && { main }) });
  };

  describe.each(getCorsSetups(adapter))('by %s', (_, enable) => {
    // With a role, the guard refuses known routes; without one, the middleware does.
    it.each([
      ['the middleware', {}],
      ['the guard', { exempt: { roles: ['staff'] } }],
    ])('exposes the headers of refusals of %s', async (_name, options) => {
      await startWith(async (app) => void (await enable(app, { origin: ORIGIN })), options);
      await running.maintenance.enable();
      for (const path of ['/orders', '/unknown']) {
        const replies = [await ask(path), await ask(path), await ask(path, 'HEAD')];
        expect(replies.map((reply) => [path, reply.status, getExposed(reply)])).toEqual(
          replies.map(() => [path, 503, OWN_NAMES]),
        );
      }
    });

    it('adds the headers to those that the application exposes', async () => {
      const exposedHeaders = ['X-Total', 'retry-after'];
      await startWith(async (app) => void (await enable(app, { origin: ORIGIN, credentials: true, exposedHeaders })));
      await running.maintenance.enable();
      const names = [...OWN_NAMES, 'x-total'];
      expect([getExposed(await ask('/orders')), getExposed(await ask('/unknown'))]).toEqual([names, names]);
    });

    it('adds the headers to `*`, which does not cover requests with credentials', async () => {
      await startWith(async (app) => void (await enable(app, { origin: ORIGIN, exposedHeaders: '*' })));
      await running.maintenance.enable();
      expect(getExposed(await ask('/orders'))).toEqual(['*', ...OWN_NAMES]);
    });

    it('exposes the announcement of admitted answers', async () => {
      await startWith(async (app) => void (await enable(app, { origin: ORIGIN, exposedHeaders: ['X-Total'] })), {
        announce: { before: 2 * HOUR_MS },
      });
      for (const path of ['/orders', '/raw', '/unknown']) expect(getExposed(await ask(path))).toEqual(['x-total']);
      await running.maintenance.enable({ startsAt: new Date(Date.now() + HOUR_MS) });
      for (const path of ['/orders', '/raw', '/unknown']) {
        const reply = await ask(path);
        expect(reply.headers).toHaveProperty('maintenance-announcement');
        expect([path, getExposed(reply)]).toEqual([path, [...OWN_NAMES, 'x-total']]);
      }
    });

    it('exposes the announcement of a refusal', async () => {
      await startWith(async (app) => void (await enable(app, { origin: ORIGIN })), {
        announce: { before: 2 * HOUR_MS },
      });
      await running.maintenance.enable({ startsAt: new Date(Date.now() + HOUR_MS) });
      await running.maintenance.enable({ scope: 'orders' });
      const reply = await ask('/orders');
      expect(reply).toMatchObject({ status: 503, headers: { 'maintenance-announcement': expect.any(String) } });
      expect(getExposed(reply)).toEqual(OWN_NAMES);
    });

    it('exposes nothing to an origin that CORS does not admit', async () => {
      await startWith(async (app) => void (await enable(app, { origin: false })), {
        announce: { before: 2 * HOUR_MS },
      });
      await running.maintenance.enable({ startsAt: new Date(Date.now() + HOUR_MS) });
      await running.maintenance.enable({ scope: 'orders' });
      for (const path of ['/orders', '/open']) expect(getExposed(await ask(path))).toEqual([]);
    });
  });

  it('is not turned on by a refusal', async () => {
    await startWith();
    await running.maintenance.enable();
    for (const path of ['/orders', '/unknown']) {
      expect(Object.keys((await ask(path)).headers).filter((name) => name.startsWith('access-control'))).toEqual([]);
    }
  });

  it('exposes the headers of a refused handshake of socket.io', async () => {
    running = await start(adapter, { providers: [ChatGateway] });
    await running.maintenance.enable();
    const reply = await poll(running.port, '/socket.io', { origin: ORIGIN });
    expect([reply.status, getExposed(reply)]).toEqual([503, [...OWN_NAMES, 'x-total']]);
  });
});
