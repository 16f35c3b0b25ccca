import { createServer, type RequestListener } from 'node:http';
import { Controller, Get, HttpCode, Post } from '@nestjs/common';
import { ApolloDriver, type ApolloDriverConfig } from '@nestjs/apollo';
import { ExternalContextCreator } from '@nestjs/core';
import { GraphQLModule } from '@nestjs/graphql';
import express from 'express';
import { SkipMaintenance } from 'nestjs-maintenance';
import { until } from '../tools/waiting.js';
import { ADAPTERS, start, type Running, type Setup } from './application.js';
import { call } from './client.js';
import { CatsResolver } from './graphql/cats.js';

@Controller()
class ShopController {
  @Get('docs')
  docs(): string {
    return 'docs';
  }

  @Get('orders')
  orders(): string {
    return 'orders';
  }

  @SkipMaintenance()
  @Get('skipped')
  skipped(): string {
    return 'skipped';
  }

  @Get('closed')
  closed(): string {
    return 'closed';
  }

  @Post('closed')
  @HttpCode(200)
  reopen(): string {
    return 'changed';
  }
}

const controllers = [ShopController];
const callNext = (_request: unknown, _response: unknown, next: () => void): void => next();

describe.each(ADAPTERS)('the path that decides on a request (%s)', (adapter) => {
  let running: Running;
  const startActive = async (setup: Setup): Promise<Running['call']> => {
    running = await start(adapter, { controllers, ...setup });
    await running.maintenance.enable();
    return running.call;
  };
  afterEach(() => running.close());

  it('admits only GET and HEAD requests to response.redirectUrl', async () => {
    const send = await startActive({ options: { response: { redirectUrl: '/closed' } } });
    expect((await send('/closed')).text).toBe('closed');
    expect((await send('/closed', { method: 'HEAD' })).status).toBe(200);
    for (const method of ['POST', 'PUT', 'DELETE', 'OPTIONS']) {
      expect([method, (await send('/closed', { method })).status]).toEqual([method, 503]);
    }
  });

  it.each([
    ['first', {}],
    ['after other middleware', { create: { bodyParser: false }, main: (app) => void app.use(callNext) }],
  ] as [string, Setup][])(
    'matches decorators but no exemptions for absolute-form targets (middleware runs %s)',
    async (_place, setup) => {
      const send = await startActive({ ...setup, options: { exempt: { urls: ['/docs', '/none'] } } });
      for (const [path, status, statusOfAbsoluteForm] of [
        ['/skipped', 200, 200],
        ['/skipped?a=b', 200, 200],
        ['/docs', 200, 503],
        ['/none', 404, 503],
        ['/health', 404, 503],
        ['/orders', 503, 503],
        ['/unknown', 503, 503],
      ] as [string, number, number][]) {
        expect([path, (await send(path)).status]).toEqual([path, status]);
        const target = `http://shop.example.com:8080${path}`;
        expect([target, (await send(target)).status]).toEqual([target, statusOfAbsoluteForm]);
      }
    },
  );

  it('includes the global prefix for unknown routes', async () => {
    const send = await startActive({
      options: { exempt: { urls: ['/api/docs{/*rest}'] } },
      main: (app) => void app.setGlobalPrefix('api'),
    });
    expect((await send('/api/docs')).status).toBe(200);
    expect((await send('/api/docs/missing.png')).status).toBe(404);
    expect((await send('/api/docs/missing.png?a=b')).status).toBe(404);
    expect((await send('/api/other')).status).toBe(503);
    expect((await send('/docs/missing.png')).status).toBe(503);
  });

  it('is not shortened by app.use(path) for guards of an ExternalContextCreator handler', async () => {
    class Calls {
      hello(_request: unknown, response: { end: (text: string) => void }): void {
        response.end('hello');
      }
    }
    let mounted: (...args: unknown[]) => unknown = () => undefined;
    const send = await startActive({
      options: { exempt: { urls: ['/rpc/{*rest}', '/closed-there'] } },
      main: async (app) => {
        app.use('/rpc', (...args: unknown[]) => void Promise.resolve(mounted(...args)).catch(() => respond(args[1])));
        await app.init();
        const calls = new Calls();
        const method = Calls.prototype.hello as (...args: unknown[]) => unknown;
        mounted = app.get(ExternalContextCreator).create(calls, method, 'hello') as typeof mounted;
      },
    });
    expect((await send('/rpc/hello')).text).toBe('hello');
    expect((await send('/rpc/closed-there')).text).toBe('hello');
  });

  it('is not shortened by app.use(path) for in-flight requests', async () => {
    let finish: (() => void) | undefined;
    running = await start(adapter, {
      controllers,
      options: { exempt: { urls: ['/proxied/{*rest}'] } },
      main: (app) =>
        void app.use('/proxied', (_request: unknown, response: { end: (text: string) => void }) => {
          finish = () => response.end('proxied');
        }),
    });
    const { maintenance } = running;
    const answer = running.call('/proxied/x');
    await until('the request is in flight', () => finish !== undefined);
    await maintenance.enable();
    expect(await maintenance.drained({ timeout: 5_000 })).toMatchObject({ drained: true });
    finish!();
    expect((await answer).text).toBe('proxied');
  });
});

function respond(response: unknown): void {
  const raw = response as { statusCode: number; end: () => void };
  raw.statusCode = 503;
  raw.end();
}

it('decides on GraphQL operations by the URL after rewriteUrl (fastify)', async () => {
  const running = await start('fastify', {
    imports: [GraphQLModule.forRoot<ApolloDriverConfig>({ driver: ApolloDriver, autoSchemaFile: true })],
    providers: [CatsResolver],
    options: { exempt: { urls: ['/graphql'] } },
    fastify: { rewriteUrl: ({ url }: { url?: string }) => url!.replace('/v1/', '/') },
  });
  await running.maintenance.enable();
  for (const path of ['/graphql', '/v1/graphql']) {
    const reply = await running.call(path, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ query: '{ cats }' }),
    });
    expect([path, reply.status]).toEqual([path, 200]);
  }
  await running.close();
});

it('decides by the path below the mount path of an outer Express application', async () => {
  const running = await start('express', { controllers, options: { exempt: { urls: ['/docs', '/api/none'] } } });
  await running.maintenance.enable();
  const server = createServer(express().use('/shop', running.app.getHttpAdapter().getInstance() as RequestListener));
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as { port: number };
  expect((await call(port, '/shop/docs')).status).toBe(200);
  expect((await call(port, '/shop/orders')).status).toBe(503);
  await new Promise((resolve) => server.close(resolve));
  await running.close();
});
