import { request as httpRequest, type ClientRequest } from 'node:http';
import { setTimeout as pause } from 'node:timers/promises';
import {
  Controller,
  Sse,
  UseInterceptors,
  type CallHandler,
  type ExecutionContext,
  type NestInterceptor,
} from '@nestjs/common';
import { Mutation, Query, Resolver, Subscription } from '@nestjs/graphql';
import {
  ClientProxyFactory,
  EventPattern,
  GrpcMethod,
  GrpcStreamCall,
  GrpcStreamMethod,
  MessagePattern,
  Transport,
} from '@nestjs/microservices';
import { WsAdapter } from '@nestjs/platform-ws';
import { SubscribeMessage, WebSocketGateway } from '@nestjs/websockets';
import {
  MaintenanceAccess,
  MaintenanceScope,
  SkipMaintenance,
  type EnableOptions,
  type MaintenanceModuleOptions,
  type MaintenanceService,
} from 'nestjs-maintenance';
import {
  firstValueFrom,
  from,
  interval,
  map,
  mergeMap,
  NEVER,
  takeUntil,
  timeout,
  toArray,
  type Observable,
} from 'rxjs';
import { execute, type ExecutionArgs } from 'graphql';
import getPort from 'get-port';
import { TIMEOUT_MS, until } from '../tools/waiting.js';
import { ADAPTERS, start, type Running, type Setup } from './application.js';
import { createGraphqlModule } from './graphql/cats.js';
import { SubscriptionClient, CURRENT, LEGACY, type Message } from './graphql/subscription-client.js';
import { REFUSED } from './refusal-payload.js';
import { KINDS, PROTO, startRpc, tcp, type RpcRunning } from './rpc-application.js';
import { GrpcClient } from './rpc-grpc-client.js';
import { ioPeer, LIBRARIES, wsPeer, type Peer } from './socket-clients.js';
import { waitUntilDrainBlockedBy, BlockingHandlers } from './blocking-handlers.js';

declare const NEST_MAJOR: string;

const DRAINED = { drained: true, pending: [] };
let handlers: BlockingHandlers;
beforeEach(() => (handlers = new BlockingHandlers()));

/** Callbacks that run after each test, even if it fails. */
const opened: (() => unknown)[] = [];
afterEach(async () => {
  handlers.close();
  for (const close of opened.splice(0).reverse()) await close();
});

/** An interceptor as applications use for logging. */
class Passing implements NestInterceptor {
  intercept(_context: ExecutionContext, next: CallHandler): Observable<unknown> {
    return next.handle();
  }
}

interface Client {
  connect(): Promise<unknown>;
  close(): unknown;
  send<T>(pattern: unknown, data: unknown): Observable<T>;
  emit(pattern: unknown, data: unknown): Observable<unknown>;
}

interface Item {
  name: string;
}

@Controller()
class Handlers {
  @MessagePattern({ cmd: 'pay' })
  pay(_item: string): Promise<string> {
    return handlers.block('pay');
  }

  @UseInterceptors(Passing)
  @MessagePattern('pay.logged')
  payLogged(_item: string): Promise<string> {
    return handlers.block('pay.logged');
  }

  @MessagePattern('pay.observed')
  payObserved(_item: string): Observable<string> {
    return from(handlers.block('pay.observed'));
  }

  @SkipMaintenance()
  @MessagePattern('exempt')
  exempt(_item: string): Promise<string> {
    return handlers.block('exempt');
  }

  @MaintenanceScope('stock')
  @MessagePattern('stock')
  stock(_item: string): Promise<string> {
    return handlers.block('stock');
  }

  @MaintenanceAccess('read')
  @MessagePattern('look')
  look(_item: string): Promise<string> {
    return handlers.block('look');
  }

  @MessagePattern('tick')
  tick(_item: string): Observable<number> {
    return interval(10).pipe(takeUntil(handlers.closed));
  }

  @EventPattern('sold')
  sold(_item: string): Promise<string> {
    return handlers.block('sold');
  }

  @EventPattern('sold')
  soldElsewhere(_item: string): Observable<string> {
    return from(['sold.first', 'sold.second']).pipe(mergeMap((name) => handlers.block(name), 1));
  }

  @SkipMaintenance()
  @EventPattern('audited')
  audited(_item: string): Promise<string> {
    return handlers.block('audited');
  }
}

@Controller()
class GrpcHandlers {
  @GrpcMethod('Shop', 'Buy')
  async buy({ name }: Item): Promise<Item> {
    return { name: await handlers.block(name) };
  }

  @SkipMaintenance()
  @GrpcMethod('Shop', 'Open')
  async open({ name }: Item): Promise<Item> {
    return { name: await handlers.block(name) };
  }

  @GrpcMethod('Shop', 'Watch')
  watch(): Observable<Item> {
    return NEVER;
  }

  @GrpcStreamMethod('Shop', 'Collect')
  collect(items: Observable<Item>): Observable<Item> {
    return items.pipe(
      toArray(),
      mergeMap(([item]) => handlers.block(item!.name)),
      map((name) => ({ name })),
    );
  }

  @GrpcStreamCall('Shop', 'Fill')
  fill(call: { on(event: 'data', listener: (item: Item) => void): void }, answer: (error: null, item: Item) => void) {
    call.on('data', (item) => void handlers.block(item.name).then((name) => answer(null, { name })));
  }
}

describe.each(KINDS)('in-flight messages (%s)', (kind) => {
  let running: RpcRunning;
  let client: Client;
  const request = (pattern: string | object): Promise<unknown> =>
    firstValueFrom(client.send<unknown>(pattern, 'secret').pipe(timeout(TIMEOUT_MS)));

  async function startServer(options: MaintenanceModuleOptions = {}): Promise<void> {
    const server = await tcp();
    running = await startRpc(kind, server, { controllers: [Handlers], options });
    client = ClientProxyFactory.create(server as never);
    opened.push(running.close, () => client.close());
    await client.connect();
  }

  it.each([
    ['a promise', { cmd: 'pay' }, 'pay', 'message {"cmd":"pay"}'],
    ['a promise behind an interceptor', 'pay.logged', 'pay.logged', 'message pay.logged'],
    ['an Observable', 'pay.observed', 'pay.observed', 'message pay.observed'],
  ])('block a drain until they are answered: %s', async (_name, pattern, work, name) => {
    await startServer();
    const answer = request(pattern);
    await handlers.waitUntilStarted(work);
    await running.maintenance.enable();
    await waitUntilDrainBlockedBy(running.maintenance, name);
    await expect(request(pattern)).rejects.toEqual(REFUSED);
    handlers.finish(work);
    expect(await running.maintenance.drained({ timeout: TIMEOUT_MS })).toMatchObject(DRAINED);
    expect(await answer).toBe(`${work} is done`);
    expect(handlers.started).toEqual([work]);
  });

  it.each<[string, EnableOptions, string]>([
    ['@SkipMaintenance()', {}, 'exempt'],
    ['another scope', { scope: 'stock' }, 'exempt'],
    ['reading in a read-only window', { mode: 'read-only' }, 'look'],
  ])('do not block a drain: %s', async (_name, window, open) => {
    await startServer();
    const answers = [request('stock'), request(open)];
    await handlers.waitUntilStarted('stock', open);
    await running.maintenance.enable(window);
    await waitUntilDrainBlockedBy(running.maintenance, 'message stock');
    handlers.finish('stock');
    expect(await running.maintenance.drained({ timeout: TIMEOUT_MS })).toMatchObject(DRAINED);
    expect(handlers.finished).toEqual(['stock']);
    handlers.finish(open);
    expect(await Promise.all(answers)).toEqual(['stock is done', `${open} is done`]);
  });

  it('are counted as events until all handlers have finished', async () => {
    await startServer({ microservices: { events: 'drop' } });
    await firstValueFrom(client.emit('sold', 'secret'), { defaultValue: undefined });
    await firstValueFrom(client.emit('audited', 'secret'), { defaultValue: undefined });
    await handlers.waitUntilStarted('sold', 'sold.first', 'audited');
    await running.maintenance.enable();
    await waitUntilDrainBlockedBy(running.maintenance, 'event sold');
    handlers.finish('sold');
    handlers.finish('sold.first');
    await handlers.waitUntilStarted('sold.second');
    await waitUntilDrainBlockedBy(running.maintenance, 'event sold');
    handlers.finish('sold.second');
    expect(await running.maintenance.drained({ timeout: TIMEOUT_MS })).toMatchObject(DRAINED);
    expect(handlers.finished).toEqual(['sold', 'sold.first', 'sold.second']);
  });

  it('are counted as streams if they emit several values', async () => {
    // Only the guard evaluates this condition, so the stream is not ended.
    await startServer({ exempt: { when: () => true } });
    const heard: number[] = [];
    const ticks = client.send<number>('tick', 'secret').subscribe((tick) => heard.push(tick));
    await until('the stream emits', () => heard.length > 1);
    await running.maintenance.enable();
    await until('the stream is reported', async () => (await running.maintenance.instances())[0]!.streams === 1);
    expect(await running.maintenance.drained({ timeout: TIMEOUT_MS })).toMatchObject({
      ...DRAINED,
      instances: [{ inFlight: 0, streams: 1 }],
    });
    ticks.unsubscribe();
  });

  it('do not block a drain once they are refused', async () => {
    await startServer();
    await running.maintenance.enable();
    await Promise.all(
      ['pay.logged', 'stock', 'tick'].map((pattern) => expect(request(pattern)).rejects.toEqual(REFUSED)),
    );
    await running.maintenance.enable({ mode: 'read-only' });
    expect(await running.maintenance.drained({ timeout: TIMEOUT_MS })).toMatchObject(DRAINED);
  });
});

describe.each(KINDS)('in-flight gRPC calls (%s)', (kind) => {
  let maintenance: MaintenanceService;
  let client: GrpcClient;

  beforeEach(async () => {
    const url = `127.0.0.1:${await getPort()}`;
    const server = { transport: Transport.GRPC as const, options: { package: 'shop', protoPath: PROTO, url } };
    const running = await startRpc(kind, server, { controllers: [GrpcHandlers] });
    ({ maintenance } = running);
    client = new GrpcClient(url);
    opened.push(running.close, () => client.close());
  });

  it.each(['Buy', 'Collect', 'Fill'])('block a drain until they are answered: %s', async (method) => {
    const answers = [client.call(method, 'teapot'), client.call('Open', 'exempt')];
    await handlers.waitUntilStarted('teapot', 'exempt');
    await maintenance.enable();
    await waitUntilDrainBlockedBy(maintenance, `grpc Shop.${method}`);
    expect(await client.call(method, 'late')).toMatchObject({ code: 14 });
    handlers.finish('teapot');
    expect(await maintenance.drained({ timeout: TIMEOUT_MS })).toMatchObject(DRAINED);
    handlers.finish('exempt');
    expect(await Promise.all(answers)).toEqual([{ items: ['teapot is done'] }, { items: ['exempt is done'] }]);
  });

  it('are ended if they return a stream, even a silent one', async () => {
    const outcome = client.call('Watch');
    const answer = client.call('Buy', 'teapot');
    await handlers.waitUntilStarted('teapot');
    await maintenance.enable();
    expect(await outcome).toMatchObject({ code: 14 });
    await waitUntilDrainBlockedBy(maintenance, 'grpc Shop.Buy');
    handlers.finish('teapot');
    expect(await answer).toEqual({ items: ['teapot is done'] });
  });
});

describe.each(ADAPTERS.flatMap((adapter) => LIBRARIES.map((library) => [adapter, library] as const)))(
  'in-flight socket messages (%s, %s)',
  (adapter, library) => {
    @WebSocketGateway()
    class ChatGateway {
      @SubscribeMessage('say')
      say() {
        return handlers.block('say');
      }

      @UseInterceptors(Passing)
      @SubscribeMessage('say.logged')
      async sayLogged() {
        return { event: 'said', data: await handlers.block('say.logged') };
      }

      @SkipMaintenance()
      @SubscribeMessage('exempt')
      exempt() {
        return handlers.block('exempt');
      }

      @MaintenanceScope('stock')
      @SubscribeMessage('stock')
      async stock() {
        return { event: 'stocked', data: await handlers.block('stock') };
      }
    }

    @WebSocketGateway()
    class ClosedGateway {
      @SubscribeMessage('say')
      say() {
        return handlers.block('say');
      }

      @UseInterceptors(Passing)
      @SubscribeMessage('say.logged')
      sayLogged() {
        return handlers.block('say.logged');
      }
    }

    let running: Running;
    async function connect(gateway: new () => object, options: MaintenanceModuleOptions = {}): Promise<Peer> {
      running = await start(adapter, {
        options,
        providers: [gateway],
        main: (app) => void (library === 'ws' && app.useWebSocketAdapter(new WsAdapter(app))),
      });
      const { port } = running;
      const client = library === 'ws' ? wsPeer(`ws://127.0.0.1:${port}/`) : ioPeer(`http://127.0.0.1:${port}`);
      opened.push(running.close, client.close);
      await client.seen.next('connect');
      return client;
    }

    it.each(['say', 'say.logged'])('block a drain although their socket is closed: %s', async (message) => {
      const client = await connect(ClosedGateway);
      client.send(message, 'secret');
      await handlers.waitUntilStarted(message);
      await running.maintenance.enable();
      await client.seen.next('close');
      await waitUntilDrainBlockedBy(running.maintenance, `socket ClosedGateway "${message}"`);
      handlers.finish(message);
      expect(await running.maintenance.drained({ timeout: TIMEOUT_MS })).toMatchObject(DRAINED);
      expect(handlers.finished).toEqual([message]);
    });

    it('do not block a drain if they are exempt or in another scope', async () => {
      const client = await connect(ChatGateway);
      for (const message of ['say', 'exempt', 'stock']) client.send(message, 'secret');
      await handlers.waitUntilStarted('say', 'exempt', 'stock');
      await running.maintenance.enable();
      await waitUntilDrainBlockedBy(running.maintenance, 'socket ChatGateway "say"', 'socket ChatGateway "stock"');
      client.send('say.logged', 'late');
      await client.seen.next('exception');
      await running.maintenance.enable({ scope: 'stock' });
      await running.maintenance.disable({ scope: '*' });
      await waitUntilDrainBlockedBy(running.maintenance, 'socket ChatGateway "stock"');
      handlers.finish('stock');
      expect(await client.seen.next('stocked')).toBe('stock is done');
      expect(await running.maintenance.drained({ timeout: TIMEOUT_MS })).toMatchObject(DRAINED);
      expect([handlers.started, handlers.finished]).toEqual([['say', 'exempt', 'stock'], ['stock']]);
    });

    it('do not block a drain if the client is exempt', async () => {
      const client = await connect(ChatGateway, { exempt: { ips: ['127.0.0.1'] } });
      client.send('say.logged', 'secret');
      await handlers.waitUntilStarted('say.logged');
      await running.maintenance.enable();
      expect(await running.maintenance.drained({ timeout: TIMEOUT_MS })).toMatchObject(DRAINED);
      handlers.finish('say.logged');
      expect(await client.seen.next('said')).toBe('say.logged is done');
    });
  },
);

@Resolver()
class ShopResolver {
  @Mutation(() => String)
  pay() {
    return handlers.block('pay');
  }

  @Query(() => String)
  look() {
    return handlers.block('look');
  }

  @SkipMaintenance()
  @Query(() => String)
  exempt() {
    return handlers.block('exempt');
  }

  @Subscription(() => String)
  async *sales() {
    for (let count = 0; ; count++) {
      yield { sales: String(count) };
      await pause(20);
    }
  }
}

describe.each(ADAPTERS)('in-flight GraphQL operations (%s)', (adapter) => {
  let running: Running;
  beforeEach(async () => {
    running = await start(adapter, { imports: [createGraphqlModule()], providers: [ShopResolver] });
    opened.push(running.close);
  });

  function send(sent: object): ClientRequest {
    const options = { host: '127.0.0.1', port: running.port, path: '/graphql', method: 'POST', agent: false };
    const request = httpRequest({ ...options, headers: { 'content-type': 'application/json' } });
    request.on('error', () => undefined).end(JSON.stringify(sent));
    return request;
  }

  it.each(['before', 'after'])('block a drain if the client disconnects %s the window starts', async (when) => {
    const request = send([{ query: 'mutation { pay }' }, { query: '{ look }' }]);
    await handlers.waitUntilStarted('pay', 'look');
    const gone = new Promise((resolve) => request.on('close', resolve));
    if (when === 'after') await running.maintenance.enable();
    request.destroy();
    await gone;
    if (when === 'before') await running.maintenance.enable();
    await waitUntilDrainBlockedBy(running.maintenance, 'POST /graphql');
    handlers.finish('look');
    await waitUntilDrainBlockedBy(running.maintenance, 'POST /graphql');
    handlers.finish('pay');
    expect(await running.maintenance.drained({ timeout: TIMEOUT_MS })).toMatchObject(DRAINED);
    expect(handlers.finished).toEqual(['look', 'pay']);
  });
});

describe.each(
  ADAPTERS.flatMap((adapter) => [
    { adapter, protocol: CURRENT, option: 'graphql-ws' },
    // @nestjs/apollo 14, for Nest 12, does without the older protocol.
    ...(NEST_MAJOR === '11' ? [{ adapter, protocol: LEGACY, option: 'subscriptions-transport-ws' }] : []),
  ]),
)('in-flight GraphQL operations over WebSockets ($adapter, $option)', ({ adapter, protocol, option }) => {
  let running: Running;

  async function open(server: object = {}, setup: Setup = {}): Promise<SubscriptionClient> {
    running = await start(adapter, {
      imports: [createGraphqlModule({ subscriptions: { [option]: server } })],
      providers: [ShopResolver],
      ...setup,
    });
    opened.push(running.close);
    const conversation = await SubscriptionClient.open(running.port, protocol);
    opened.push(() => conversation.close());
    return conversation;
  }

  const getResult = (conversation: SubscriptionClient, id: string): Promise<Message> =>
    conversation.until((message) => message.id === id && ['next', 'data'].includes(message.type));

  it('block a drain, by type and path, until their results are sent', async () => {
    const conversation = await open();
    conversation.start('1', 'mutation Secret { pay }');
    conversation.start('2', '{ look }');
    await handlers.waitUntilStarted('pay', 'look');
    await running.maintenance.enable();
    await waitUntilDrainBlockedBy(running.maintenance, 'mutation /graphql', 'query /graphql');
    handlers.finish('look');
    expect(await getResult(conversation, '2')).toMatchObject({ payload: { data: { look: 'look is done' } } });
    await waitUntilDrainBlockedBy(running.maintenance, 'mutation /graphql');
    handlers.finish('pay');
    expect(await getResult(conversation, '1')).toMatchObject({ payload: { data: { pay: 'pay is done' } } });
    expect(await running.maintenance.drained({ timeout: TIMEOUT_MS })).toMatchObject(DRAINED);
  });

  it.each(['before', 'after'])('block a drain if the client disconnects %s the window starts', async (when) => {
    const conversation = await open();
    conversation.start('1', 'mutation { pay }');
    await handlers.waitUntilStarted('pay');
    if (when === 'after') await running.maintenance.enable();
    conversation.close();
    await conversation.until(({ type }) => type === 'closed');
    if (when === 'before') await running.maintenance.enable();
    await waitUntilDrainBlockedBy(running.maintenance, 'mutation /graphql');
    handlers.finish('pay');
    expect(await running.maintenance.drained({ timeout: TIMEOUT_MS })).toMatchObject(DRAINED);
    expect(handlers.finished).toEqual(['pay']);
  });

  it('block a drain only if the window covers their fields', async () => {
    const conversation = await open();
    conversation.start('1', '{ exempt }');
    conversation.start('2', '{ look }');
    conversation.start('3', 'mutation { pay }');
    await handlers.waitUntilStarted('exempt', 'look', 'pay');
    await running.maintenance.enable({ scope: 'stock' });
    expect(await running.maintenance.drained({ timeout: TIMEOUT_MS })).toMatchObject(DRAINED);
    await running.maintenance.enable({ mode: 'read-only' });
    await waitUntilDrainBlockedBy(running.maintenance, 'mutation /graphql');
    await running.maintenance.enable();
    await waitUntilDrainBlockedBy(running.maintenance, 'mutation /graphql', 'query /graphql');
    handlers.finish('look');
    handlers.finish('pay');
    expect(await running.maintenance.drained({ timeout: TIMEOUT_MS })).toMatchObject(DRAINED);
    expect(handlers.finished).toEqual(['look', 'pay']);
  });

  it('do not block a drain if the client is exempt', async () => {
    const conversation = await open({}, { options: { exempt: { ips: ['127.0.0.1'] } } });
    conversation.start('1', 'mutation { pay }');
    await handlers.waitUntilStarted('pay');
    await running.maintenance.enable();
    expect(await running.maintenance.drained({ timeout: TIMEOUT_MS })).toMatchObject(DRAINED);
  });

  it('block a drain with a custom execute function', async () => {
    const executed: (string | undefined)[] = [];
    const conversation = await open({
      execute: (args: ExecutionArgs) => {
        executed.push(args.operationName ?? undefined);
        return execute(args);
      },
    });
    conversation.start('1', 'mutation { pay }');
    await handlers.waitUntilStarted('pay');
    await running.maintenance.enable();
    await waitUntilDrainBlockedBy(running.maintenance, 'mutation /graphql');
    handlers.finish('pay');
    expect(await running.maintenance.drained({ timeout: TIMEOUT_MS })).toMatchObject(DRAINED);
    expect(executed).toHaveLength(1);
  });

  it('no longer block a drain when they fail', async () => {
    const conversation = await open({
      execute: async () => {
        await handlers.block('pay');
        throw new Error('fails');
      },
    });
    conversation.start('1', 'mutation { pay }');
    await handlers.waitUntilStarted('pay');
    await running.maintenance.enable();
    await waitUntilDrainBlockedBy(running.maintenance, 'mutation /graphql');
    handlers.finish('pay');
    expect(await running.maintenance.drained({ timeout: TIMEOUT_MS })).toMatchObject(DRAINED);
  });

  it('block a drain if mount.guard is false', async () => {
    const conversation = await open({}, { extras: { mount: { guard: false } } });
    conversation.start('1', 'mutation { pay }');
    await handlers.waitUntilStarted('pay');
    await running.maintenance.enable();
    await waitUntilDrainBlockedBy(running.maintenance, 'mutation /graphql');
    handlers.finish('pay');
    expect(await running.maintenance.drained({ timeout: TIMEOUT_MS })).toMatchObject(DRAINED);
  });

  it('do not block a drain if they are subscriptions, which the window ends', async () => {
    const conversation = await open();
    conversation.start('1', 'subscription { sales }');
    await conversation.waitForEvents('1');
    await running.maintenance.enable();
    expect(await running.maintenance.drained({ timeout: TIMEOUT_MS })).toMatchObject(DRAINED);
    expect((await conversation.waitForEnd('1')).type).toBe('error');
  });
});

describe.each(ADAPTERS)('in-flight server-sent events (%s)', (adapter) => {
  @Controller()
  class EventsController {
    @Sse('events')
    events() {
      return interval(10).pipe(map((tick) => ({ data: { tick } })));
    }
  }

  it('are counted as streams and do not block a drain', async () => {
    const running = await start(adapter, {
      controllers: [EventsController],
      options: { exempt: { when: () => true } },
    });
    const options = { host: '127.0.0.1', port: running.port, path: '/events', agent: false };
    let heard = 0;
    const request = httpRequest(options, (response) => response.on('data', () => heard++)).end();
    request.on('error', () => undefined);
    opened.push(running.close, () => request.destroy());
    await until('events come', () => heard > 0);
    await running.maintenance.enable();
    await until('the stream is reported', async () => (await running.maintenance.instances())[0]!.streams === 1);
    expect(await running.maintenance.drained({ timeout: TIMEOUT_MS })).toMatchObject({
      ...DRAINED,
      instances: [{ inFlight: 0, streams: 1 }],
    });
  });
});
