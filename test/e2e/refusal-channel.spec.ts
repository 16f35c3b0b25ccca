import { execFileSync } from 'node:child_process';
import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import { join, resolve } from 'node:path';
import {
  Catch,
  Controller,
  Get,
  Inject,
  Post,
  UseFilters,
  VersioningType,
  type ArgumentsHost,
  type ExceptionFilter,
} from '@nestjs/common';
import { HttpAdapterHost } from '@nestjs/core';
import { ClientProxyFactory, Transport, type ClientOptions } from '@nestjs/microservices';
import { WsAdapter } from '@nestjs/platform-ws';
import { ServeStaticModule } from '@nestjs/serve-static';
import { MessageBody, SubscribeMessage, WebSocketGateway } from '@nestjs/websockets';
import getPort from 'get-port';
import { MaintenanceScope, type RefusedCall } from 'nestjs-maintenance';
import { firstValueFrom } from 'rxjs';
import { ADAPTERS, start, type Running, type Setup } from './application.js';
import { CatsResolver, createGraphqlModule, MixedResolver } from './graphql/cats.js';
import { CURRENT, SubscriptionClient } from './graphql/subscription-client.js';
import { eventually, PROTO, startRpc, tcp } from './rpc-application.js';
import { GrpcClient } from './rpc-grpc-client.js';
import { GrpcHandlers, ShopHandlers } from './rpc-handlers.js';
import { ioPeer, upgrade, wsPeer, type Peer } from './socket-clients.js';

const CHANNEL = 'nestjs-maintenance:refused';

@Catch()
class CatchAll implements ExceptionFilter {
  constructor(@Inject(HttpAdapterHost) private readonly host: HttpAdapterHost) {}

  catch(_exception: unknown, host: ArgumentsHost): void {
    this.host.httpAdapter.reply(host.switchToHttp().getResponse(), 'caught', 500);
  }
}

@MaintenanceScope('orders')
@Controller({ path: 'orders', version: '1' })
class OrdersController {
  @Get(':id')
  order(): string {
    return 'order';
  }

  @Post()
  create(): string {
    return 'created';
  }

  @UseFilters(CatchAll)
  @Get(':id/filtered')
  filtered(): string {
    return 'filtered';
  }
}

@WebSocketGateway()
class ChatGateway {
  @SubscribeMessage('say')
  say(@MessageBody() data: unknown): unknown {
    return { event: 'said', data };
  }
}

let published: RefusedCall[] = [];
const record = (call: unknown): void => void published.push(call as RefusedCall);
beforeEach(() => {
  published = [];
  subscribe(CHANNEL, record);
});
afterEach(() => unsubscribe(CHANNEL, record));

/** Returns what was published since the last call. */
const takePublished = (): RefusedCall[] => published.splice(0);

const open: (() => unknown)[] = [];
afterEach(async () => {
  for (const close of open.splice(0).reverse()) await close();
});

function closeAfterTest<T extends { close(): unknown }>(opened: T): T {
  open.push(() => opened.close());
  return opened;
}

const FULL = { scope: '*', mode: 'full', status: 503 };

describe.each(ADAPTERS)('the diagnostics channel of refusals (%s)', (adapter) => {
  const startWith = async (setup: Setup): Promise<Running> => closeAfterTest(await start(adapter, setup));

  // With a role, the guard refuses known routes; without one, the middleware does.
  it.each([
    ['the middleware', {}],
    ['the guard', { exempt: { roles: ['staff'] } }],
    ['a middleware that sends pages by a callback', { response: { type: () => 'json' as const } }],
  ])('publishes requests that %s refuses, by the patterns of their routes', async (_, options) => {
    const { call, maintenance } = await startWith({
      controllers: [OrdersController],
      imports: [ServeStaticModule.forRoot({ rootPath: join(__dirname, 'fixtures/public'), serveRoot: '/static' })],
      options,
      main: (app) => {
        app.setGlobalPrefix('api');
        app.enableVersioning({ type: VersioningType.URI });
      },
    });
    await call('/api/v1/orders/17?token=secret');
    expect(takePublished()).toEqual([]);
    await maintenance.enable({ scope: 'orders', mode: 'read-only' });
    await call('/api/v1/orders/17');
    await call('/api/v1/orders', { method: 'POST', headers: { 'content-type': 'application/json' }, body: '{}' });
    expect(takePublished()).toEqual([
      { ...FULL, route: 'POST /api/v1/orders', method: 'POST', transport: 'http', scope: 'orders', mode: 'read-only' },
    ]);
    await maintenance.enable();
    const pattern = '/api/v1/orders/:id';
    const calls: [string, string, RefusedCall['route']][] = [
      ['GET', '/api/v1/orders/17?token=secret', `GET ${pattern}`],
      ['HEAD', '/api/v1/orders/18', `HEAD ${pattern}`],
      ['GET', '/api/v1/orders/19/filtered', `GET ${pattern}/filtered`],
      ['GET', '/unknown/secret', 'GET (no route)'],
      ['PROPFIND', '/unknown', 'PROPFIND (no route)'],
    ];
    for (const [method, path, route] of calls) {
      await call(path, { method });
      expect(takePublished()).toEqual([{ ...FULL, route, method, transport: 'http' }]);
    }
  });

  it('publishes the status of redirects', async () => {
    const { call, maintenance } = await startWith({
      controllers: [OrdersController],
      options: { response: { redirectUrl: 'https://status.example/' }, exempt: { roles: ['staff'] } },
    });
    await maintenance.enable();
    for (const path of ['/orders/1', '/unknown']) await call(path, { headers: { accept: 'text/html' } });
    expect(takePublished()).toMatchObject([
      { route: 'GET /orders/:id', status: 302 },
      { route: 'GET (no route)', status: 302 },
    ]);
  });

  it('publishes operations of GraphQL, each once', async () => {
    const query = (asked: string): object => ({
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ query: asked }),
    });
    const expected = [{ ...FULL, route: 'POST /graphql', method: 'POST', transport: 'graphql' }];
    const setups: Setup[] = [
      // Refused by the middleware, by the plugin of Apollo, and by the guard.
      { providers: [CatsResolver] },
      { providers: [CatsResolver, MixedResolver] },
      { providers: [CatsResolver], extras: { mount: { edge: false } } },
    ];
    for (const setup of setups) {
      const { call, maintenance } = await startWith({ imports: [createGraphqlModule()], ...setup });
      await maintenance.enable();
      await call('/graphql', query('{ cats invoices }'));
      expect(takePublished()).toEqual(expected);
    }
  });

  it('publishes connections and subscriptions of GraphQL', async () => {
    const { port, maintenance } = await startWith({
      imports: [createGraphqlModule({ subscriptions: { 'graphql-ws': true } })],
      providers: [CatsResolver, MixedResolver],
    });
    const client = closeAfterTest(await SubscriptionClient.open(port, CURRENT));
    await maintenance.enable();
    client.send({ id: '1', type: 'subscribe', payload: { query: 'subscription { ticks }' } });
    await client.until(({ type }) => type === 'error');
    expect(takePublished()).toEqual([
      { ...FULL, route: 'subscription /graphql', method: 'subscription', transport: 'graphql' },
    ]);
  });

  it.each(['ws', 'socket.io'])('publishes handshakes and messages of %s', async (library) => {
    const { port, maintenance } = await startWith({
      providers: [ChatGateway],
      main: (app) => void (library === 'ws' && app.useWebSocketAdapter(new WsAdapter(app))),
    });
    const connect = (): Peer =>
      closeAfterTest(library === 'ws' ? wsPeer(`ws://127.0.0.1:${port}`) : ioPeer(`http://127.0.0.1:${port}`));
    const client = connect();
    await client.seen.next('connect');
    await maintenance.enable({ mode: 'read-only' });
    client.send('say', 'secret');
    await client.seen.next('exception');
    const refused = { ...FULL, transport: 'ws' };
    expect(takePublished()).toEqual([
      { ...refused, route: 'socket ChatGateway "say"', method: 'message', mode: 'read-only' },
    ]);
    await client.close();
    await maintenance.enable();
    await connect().seen.next('refused');
    expect(takePublished()[0]).toEqual({ ...refused, route: 'socket ChatGateway', method: 'connect' });
  });

  it('publishes upgrades that nothing handles', async () => {
    const { port, maintenance } = await startWith({});
    await maintenance.enable();
    await upgrade(port, '/unknown');
    expect(takePublished()).toEqual([{ ...FULL, route: 'GET (no route)', method: 'GET', transport: 'http' }]);
  });
});

describe('the diagnostics channel of refusals', () => {
  it('publishes messages and events of microservices', async () => {
    const server = await tcp();
    const running = closeAfterTest(await startRpc('stand-alone', server, { controllers: [ShopHandlers] }));
    const client = closeAfterTest(ClientProxyFactory.create(server as ClientOptions));
    await running.maintenance.enable();
    await firstValueFrom(client.send({ cmd: 'pay' }, { name: 'secret' })).catch(() => undefined);
    client.emit('sold', { name: 'secret' }).subscribe();
    const refused = { ...FULL, transport: 'rpc' };
    await eventually(() => expect(published).toHaveLength(2));
    expect(published).toEqual([
      { ...refused, route: 'message {"cmd":"pay"}', method: 'message' },
      { ...refused, route: 'event sold', method: 'event' },
    ]);
  });

  it('publishes calls of gRPC', async () => {
    const url = `127.0.0.1:${await getPort()}`;
    const server = { transport: Transport.GRPC as const, options: { package: 'shop', protoPath: PROTO, url } };
    const running = closeAfterTest(await startRpc('stand-alone', server, { controllers: [GrpcHandlers] }));
    const client = closeAfterTest(new GrpcClient(url));
    await running.maintenance.enable();
    for (const method of ['Buy', 'Watch', 'Fill']) {
      await client.call(method);
      expect(takePublished()).toEqual([{ ...FULL, route: `grpc Shop.${method}`, method: 'grpc', transport: 'rpc' }]);
    }
  });

  it('changes nothing if a subscriber throws: Node reports the error afterwards', () => {
    const script = `
      const { subscribe } = require('node:diagnostics_channel');
      require('reflect-metadata');
      const { NestFactory } = require('@nestjs/core');
      const { MaintenanceModule } = require('nestjs-maintenance');
      const errors = [];
      process.on('uncaughtException', ({ message }) => errors.push(message));
      subscribe('${CHANNEL}', () => { throw new Error('mine'); });
      (async () => {
        const module = MaintenanceModule.forRoot({ storage: 'file:' + process.argv[1], enabled: true });
        const app = await NestFactory.create(module, { logger: false });
        await app.listen(0, '127.0.0.1');
        const reply = await fetch(await app.getUrl());
        console.log(JSON.stringify([reply.status, (await reply.json()).errorCode, errors]));
        process.exit();
      })();`;
    const file = join(resolve(__dirname, '../..'), 'node_modules/.never-written.json');
    const stdout = execFileSync(process.execPath, ['-e', script, file], { cwd: __dirname, encoding: 'utf8' });
    expect(JSON.parse(stdout)).toEqual([503, 'MAINTENANCE', ['mine']]);
  });
});
