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
import { until } from '../tools/waiting.js';
import { freePort } from '../tools/programs.js';
import { ADAPTERS, start, type Running, type Setup } from './application.js';
import { graphqlModule } from './graphql/cats.js';
import { Conversation, CURRENT, LEGACY, type Message } from './graphql/conversation.js';
import { REFUSED } from './refused-call.js';
import { KINDS, PROTO, startRpc, tcp, type RpcRunning } from './rpc-application.js';
import { GrpcClient } from './rpc-grpc-client.js';
import { ioPeer, LIBRARIES, wsPeer, type Peer } from './socket-clients.js';
import { heldUpBy, Workshop } from './workshop.js';

declare const NEST_MAJOR: string;

const DRAINED = { drained: true, pending: [] };
let shop: Workshop;
beforeEach(() => (shop = new Workshop()));

/** What is to be closed after a test, even where it fails. */
const opened: (() => unknown)[] = [];
afterEach(async () => {
  shop.close();
  for (const close of opened.splice(0).reverse()) await close();
});

/** As applications have one for their logs. */
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
    return shop.work('pay');
  }

  @UseInterceptors(Passing)
  @MessagePattern('pay.logged')
  payLogged(_item: string): Promise<string> {
    return shop.work('pay.logged');
  }

  @MessagePattern('pay.observed')
  payObserved(_item: string): Observable<string> {
    return from(shop.work('pay.observed'));
  }

  @SkipMaintenance()
  @MessagePattern('exempt')
  exempt(_item: string): Promise<string> {
    return shop.work('exempt');
  }

  @MaintenanceScope('stock')
  @MessagePattern('stock')
  stock(_item: string): Promise<string> {
    return shop.work('stock');
  }

  @MaintenanceAccess('read')
  @MessagePattern('look')
  look(_item: string): Promise<string> {
    return shop.work('look');
  }

  @MessagePattern('tick')
  tick(_item: string): Observable<number> {
    return interval(10).pipe(takeUntil(shop.closed));
  }

  @EventPattern('sold')
  sold(_item: string): Promise<string> {
    return shop.work('sold');
  }

  @EventPattern('sold')
  soldElsewhere(_item: string): Observable<string> {
    return from(['sold.first', 'sold.second']).pipe(mergeMap((name) => shop.work(name), 1));
  }

  @SkipMaintenance()
  @EventPattern('audited')
  audited(_item: string): Promise<string> {
    return shop.work('audited');
  }
}

@Controller()
class GrpcHandlers {
  @GrpcMethod('Shop', 'Buy')
  async buy({ name }: Item): Promise<Item> {
    return { name: await shop.work(name) };
  }

  @SkipMaintenance()
  @GrpcMethod('Shop', 'Open')
  async open({ name }: Item): Promise<Item> {
    return { name: await shop.work(name) };
  }

  @GrpcMethod('Shop', 'Watch')
  watch(): Observable<Item> {
    return NEVER;
  }

  @GrpcStreamMethod('Shop', 'Collect')
  collect(items: Observable<Item>): Observable<Item> {
    return items.pipe(
      toArray(),
      mergeMap(([item]) => shop.work(item!.name)),
      map((name) => ({ name })),
    );
  }

  @GrpcStreamCall('Shop', 'Fill')
  fill(call: { on(event: 'data', listener: (item: Item) => void): void }, answer: (error: null, item: Item) => void) {
    call.on('data', (item) => void shop.work(item.name).then((name) => answer(null, { name })));
  }
}

describe.each(KINDS)('messages, %s', (kind) => {
  let running: RpcRunning;
  let client: Client;
  const ask = (pattern: string | object): Promise<unknown> =>
    firstValueFrom(client.send<unknown>(pattern, 'secret').pipe(timeout(5_000)));

  async function serve(options: MaintenanceModuleOptions = {}): Promise<void> {
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
  ])('are waited for and answered: %s', async (_name, pattern, work, name) => {
    await serve();
    const answer = ask(pattern);
    await shop.hasBegun(work);
    await running.maintenance.enable();
    await heldUpBy(running.maintenance, name);
    await expect(ask(pattern)).rejects.toEqual(REFUSED);
    shop.finish(work);
    expect(await running.maintenance.drained({ timeout: 5_000 })).toMatchObject(DRAINED);
    expect(await answer).toBe(`${work} is done`);
    expect(shop.begun).toEqual([work]);
  });

  it.each<[string, EnableOptions, string]>([
    ['@SkipMaintenance()', {}, 'exempt'],
    ['another scope', { scope: 'stock' }, 'exempt'],
    ['reading in a read-only window', { mode: 'read-only' }, 'look'],
  ])('are not waited for: %s', async (_name, window, open) => {
    await serve();
    const answers = [ask('stock'), ask(open)];
    await shop.hasBegun('stock', open);
    await running.maintenance.enable(window);
    await heldUpBy(running.maintenance, 'message stock');
    shop.finish('stock');
    expect(await running.maintenance.drained({ timeout: 5_000 })).toMatchObject(DRAINED);
    expect(shop.done).toEqual(['stock']);
    shop.finish(open);
    expect(await Promise.all(answers)).toEqual(['stock is done', `${open} is done`]);
  });

  it('are counted as events until all handlers are done, whoever reads what they give', async () => {
    await serve({ microservices: { events: 'drop' } });
    await firstValueFrom(client.emit('sold', 'secret'), { defaultValue: undefined });
    await firstValueFrom(client.emit('audited', 'secret'), { defaultValue: undefined });
    await shop.hasBegun('sold', 'sold.first', 'audited');
    await running.maintenance.enable();
    await heldUpBy(running.maintenance, 'event sold');
    shop.finish('sold');
    shop.finish('sold.first');
    await shop.hasBegun('sold.second');
    await heldUpBy(running.maintenance, 'event sold');
    shop.finish('sold.second');
    expect(await running.maintenance.drained({ timeout: 5_000 })).toMatchObject(DRAINED);
    expect(shop.done).toEqual(['sold', 'sold.first', 'sold.second']);
  });

  it('are streams once they go on', async () => {
    // A condition that only the guard can ask, so that nobody ends them.
    await serve({ exempt: { when: () => true } });
    const heard: number[] = [];
    const ticks = client.send<number>('tick', 'secret').subscribe((tick) => heard.push(tick));
    await until('it ticks', () => heard.length > 1);
    await running.maintenance.enable();
    await until('it is reported', async () => (await running.maintenance.instances())[0]!.streams === 1);
    expect(await running.maintenance.drained({ timeout: 5_000 })).toMatchObject({
      ...DRAINED,
      instances: [{ inFlight: 0, streams: 1 }],
    });
    ticks.unsubscribe();
  });

  it('hold nothing up once they are refused', async () => {
    await serve();
    await running.maintenance.enable();
    await Promise.all(['pay.logged', 'stock', 'tick'].map((pattern) => expect(ask(pattern)).rejects.toEqual(REFUSED)));
    await running.maintenance.enable({ mode: 'read-only' });
    expect(await running.maintenance.drained({ timeout: 5_000 })).toMatchObject(DRAINED);
  });
});

describe.each(KINDS)('calls of gRPC, %s', (kind) => {
  let maintenance: MaintenanceService;
  let client: GrpcClient;

  beforeEach(async () => {
    const url = `127.0.0.1:${await freePort()}`;
    const server = { transport: Transport.GRPC as const, options: { package: 'shop', protoPath: PROTO, url } };
    const running = await startRpc(kind, server, { controllers: [GrpcHandlers] });
    ({ maintenance } = running);
    client = new GrpcClient(url);
    opened.push(running.close, () => client.close());
  });

  it.each(['Buy', 'Collect', 'Fill'])('are waited for and answered: %s', async (method) => {
    const answers = [client.call(method, 'teapot'), client.call('Open', 'exempt')];
    await shop.hasBegun('teapot', 'exempt');
    await maintenance.enable();
    await heldUpBy(maintenance, `grpc Shop.${method}`);
    expect(await client.call(method, 'late')).toMatchObject({ code: 14 });
    shop.finish('teapot');
    expect(await maintenance.drained({ timeout: 5_000 })).toMatchObject(DRAINED);
    shop.finish('exempt');
    expect(await Promise.all(answers)).toEqual([{ items: ['teapot is done'] }, { items: ['exempt is done'] }]);
  });

  it('that give a stream are ended, even a quiet one', async () => {
    const outcome = client.call('Watch');
    const answer = client.call('Buy', 'teapot');
    await shop.hasBegun('teapot');
    await maintenance.enable();
    expect(await outcome).toMatchObject({ code: 14 });
    await heldUpBy(maintenance, 'grpc Shop.Buy');
    shop.finish('teapot');
    expect(await answer).toEqual({ items: ['teapot is done'] });
  });
});

describe.each(ADAPTERS.flatMap((adapter) => LIBRARIES.map((library) => [adapter, library] as const)))(
  'messages of sockets on %s, %s',
  (adapter, library) => {
    @WebSocketGateway()
    class ChatGateway {
      @SubscribeMessage('say')
      say() {
        return shop.work('say');
      }

      @UseInterceptors(Passing)
      @SubscribeMessage('say.logged')
      async sayLogged() {
        return { event: 'said', data: await shop.work('say.logged') };
      }

      @SkipMaintenance()
      @SubscribeMessage('exempt')
      exempt() {
        return shop.work('exempt');
      }

      @MaintenanceScope('stock')
      @SubscribeMessage('stock')
      async stock() {
        return { event: 'stocked', data: await shop.work('stock') };
      }
    }

    @WebSocketGateway()
    class OnlyClosedGateway {
      @SubscribeMessage('say')
      say() {
        return shop.work('say');
      }

      @UseInterceptors(Passing)
      @SubscribeMessage('say.logged')
      sayLogged() {
        return shop.work('say.logged');
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

    it.each(['say', 'say.logged'])('are waited for though their socket is closed: %s', async (message) => {
      const client = await connect(OnlyClosedGateway);
      client.send(message, 'secret');
      await shop.hasBegun(message);
      await running.maintenance.enable();
      await client.seen.next('close');
      await heldUpBy(running.maintenance, `socket OnlyClosedGateway "${message}"`);
      shop.finish(message);
      expect(await running.maintenance.drained({ timeout: 5_000 })).toMatchObject(DRAINED);
      expect(shop.done).toEqual([message]);
    });

    it('are not waited for where they stay open', async () => {
      const client = await connect(ChatGateway);
      for (const message of ['say', 'exempt', 'stock']) client.send(message, 'secret');
      await shop.hasBegun('say', 'exempt', 'stock');
      await running.maintenance.enable();
      await heldUpBy(running.maintenance, 'socket ChatGateway "say"', 'socket ChatGateway "stock"');
      client.send('say.logged', 'late');
      await client.seen.next('exception');
      await running.maintenance.enable({ scope: 'stock' });
      await running.maintenance.disable({ scope: '*' });
      await heldUpBy(running.maintenance, 'socket ChatGateway "stock"');
      shop.finish('stock');
      expect(await client.seen.next('stocked')).toBe('stock is done');
      expect(await running.maintenance.drained({ timeout: 5_000 })).toMatchObject(DRAINED);
      expect([shop.begun, shop.done]).toEqual([['say', 'exempt', 'stock'], ['stock']]);
    });

    it('are not waited for where the client is exempt', async () => {
      const client = await connect(ChatGateway, { exempt: { ips: ['127.0.0.1'] } });
      client.send('say.logged', 'secret');
      await shop.hasBegun('say.logged');
      await running.maintenance.enable();
      expect(await running.maintenance.drained({ timeout: 5_000 })).toMatchObject(DRAINED);
      shop.finish('say.logged');
      expect(await client.seen.next('said')).toBe('say.logged is done');
    });
  },
);

@Resolver()
class ShopResolver {
  @Mutation(() => String)
  pay() {
    return shop.work('pay');
  }

  @Query(() => String)
  look() {
    return shop.work('look');
  }

  @SkipMaintenance()
  @Query(() => String)
  exempt() {
    return shop.work('exempt');
  }

  @Subscription(() => String)
  async *sales() {
    for (let count = 0; ; count++) {
      yield { sales: String(count) };
      await pause(20);
    }
  }
}

describe.each(ADAPTERS)('operations of GraphQL on %s', (adapter) => {
  let running: Running;
  beforeEach(async () => {
    running = await start(adapter, { imports: [graphqlModule()], providers: [ShopResolver] });
    opened.push(running.close);
  });

  function send(sent: object): ClientRequest {
    const options = { host: '127.0.0.1', port: running.port, path: '/graphql', method: 'POST', agent: false };
    const request = httpRequest({ ...options, headers: { 'content-type': 'application/json' } });
    request.on('error', () => undefined).end(JSON.stringify(sent));
    return request;
  }

  it.each(['before', 'after'])('are waited for though the client goes away %s the window opens', async (when) => {
    const request = send([{ query: 'mutation { pay }' }, { query: '{ look }' }]);
    await shop.hasBegun('pay', 'look');
    const gone = new Promise((resolve) => request.on('close', resolve));
    if (when === 'after') await running.maintenance.enable();
    request.destroy();
    await gone;
    if (when === 'before') await running.maintenance.enable();
    await heldUpBy(running.maintenance, 'POST /graphql');
    shop.finish('look');
    await heldUpBy(running.maintenance, 'POST /graphql');
    shop.finish('pay');
    expect(await running.maintenance.drained({ timeout: 5_000 })).toMatchObject(DRAINED);
    expect(shop.done).toEqual(['look', 'pay']);
  });
});

describe.each(
  ADAPTERS.flatMap((adapter) => [
    { adapter, protocol: CURRENT, option: 'graphql-ws' },
    // @nestjs/apollo 14, for Nest 12, does without the older protocol.
    ...(NEST_MAJOR === '11' ? [{ adapter, protocol: LEGACY, option: 'subscriptions-transport-ws' }] : []),
  ]),
)('operations of GraphQL over a WebSocket on $adapter by $option', ({ adapter, protocol, option }) => {
  let running: Running;

  async function open(server: object = {}, setup: Setup = {}): Promise<Conversation> {
    running = await start(adapter, {
      imports: [graphqlModule({ subscriptions: { [option]: server } })],
      providers: [ShopResolver],
      ...setup,
    });
    opened.push(running.close);
    const conversation = await Conversation.open(running.port, protocol);
    opened.push(() => conversation.close());
    return conversation;
  }

  const resultOf = (conversation: Conversation, id: string): Promise<Message> =>
    conversation.until((message) => message.id === id && ['next', 'data'].includes(message.type));

  it('keep a drain waiting, by name, until their results are there', async () => {
    const conversation = await open();
    conversation.start('1', 'mutation Secret { pay }');
    conversation.start('2', '{ look }');
    await shop.hasBegun('pay', 'look');
    await running.maintenance.enable();
    await heldUpBy(running.maintenance, 'mutation /graphql', 'query /graphql');
    shop.finish('look');
    expect(await resultOf(conversation, '2')).toMatchObject({ payload: { data: { look: 'look is done' } } });
    await heldUpBy(running.maintenance, 'mutation /graphql');
    expect(await running.maintenance.drained({ timeout: 300 })).toMatchObject({
      drained: false,
      pending: [{ reason: 'in-flight', instance: { inFlight: 1 } }],
    });
    shop.finish('pay');
    expect(await resultOf(conversation, '1')).toMatchObject({ payload: { data: { pay: 'pay is done' } } });
    expect(await running.maintenance.drained({ timeout: 5_000 })).toMatchObject(DRAINED);
  });

  it.each(['before', 'after'])('are waited for though the client goes away %s the window opens', async (when) => {
    const conversation = await open();
    conversation.start('1', 'mutation { pay }');
    await shop.hasBegun('pay');
    if (when === 'after') await running.maintenance.enable();
    conversation.close();
    await conversation.until(({ type }) => type === 'closed');
    if (when === 'before') await running.maintenance.enable();
    await heldUpBy(running.maintenance, 'mutation /graphql');
    shop.finish('pay');
    expect(await running.maintenance.drained({ timeout: 5_000 })).toMatchObject(DRAINED);
    expect(shop.done).toEqual(['pay']);
  });

  it('are waited for where the window refuses what they ask for, and nowhere else', async () => {
    const conversation = await open();
    conversation.start('1', '{ exempt }');
    conversation.start('2', '{ look }');
    conversation.start('3', 'mutation { pay }');
    await shop.hasBegun('exempt', 'look', 'pay');
    await running.maintenance.enable({ scope: 'stock' });
    expect(await running.maintenance.drained({ timeout: 5_000 })).toMatchObject(DRAINED);
    await running.maintenance.enable({ mode: 'read-only' });
    await heldUpBy(running.maintenance, 'mutation /graphql');
    await running.maintenance.enable();
    await heldUpBy(running.maintenance, 'mutation /graphql', 'query /graphql');
    shop.finish('look');
    shop.finish('pay');
    expect(await running.maintenance.drained({ timeout: 5_000 })).toMatchObject(DRAINED);
    expect(shop.done).toEqual(['look', 'pay']);
  });

  it('are not waited for where the client is exempt', async () => {
    const conversation = await open({}, { options: { exempt: { ips: ['127.0.0.1'] } } });
    conversation.start('1', 'mutation { pay }');
    await shop.hasBegun('pay');
    await running.maintenance.enable();
    expect(await running.maintenance.drained({ timeout: 5_000 })).toMatchObject(DRAINED);
  });

  it('are waited for where the application executes them by a function of its own', async () => {
    const executed: (string | undefined)[] = [];
    const conversation = await open({
      execute: (args: ExecutionArgs) => {
        executed.push(args.operationName ?? undefined);
        return execute(args);
      },
    });
    conversation.start('1', 'mutation { pay }');
    await shop.hasBegun('pay');
    await running.maintenance.enable();
    await heldUpBy(running.maintenance, 'mutation /graphql');
    shop.finish('pay');
    expect(await running.maintenance.drained({ timeout: 5_000 })).toMatchObject(DRAINED);
    expect(executed).toHaveLength(1);
  });

  it('are done where they fail', async () => {
    const conversation = await open({
      execute: async () => {
        await shop.work('pay');
        throw new Error('fails');
      },
    });
    conversation.start('1', 'mutation { pay }');
    await shop.hasBegun('pay');
    await running.maintenance.enable();
    await heldUpBy(running.maintenance, 'mutation /graphql');
    shop.finish('pay');
    expect(await running.maintenance.drained({ timeout: 5_000 })).toMatchObject(DRAINED);
  });

  it('are waited for where resolvers choose their guards', async () => {
    const conversation = await open({}, { extras: { mount: { guard: false } } });
    conversation.start('1', 'mutation { pay }');
    await shop.hasBegun('pay');
    await running.maintenance.enable();
    await heldUpBy(running.maintenance, 'mutation /graphql');
    shop.finish('pay');
    expect(await running.maintenance.drained({ timeout: 5_000 })).toMatchObject(DRAINED);
  });

  it('are not waited for if they are subscriptions, which the window ends', async () => {
    const conversation = await open();
    conversation.start('1', 'subscription { sales }');
    await conversation.more('1');
    await running.maintenance.enable();
    expect(await running.maintenance.drained({ timeout: 5_000 })).toMatchObject(DRAINED);
    expect((await conversation.end('1')).type).toBe('error');
  });
});

describe.each(ADAPTERS)('server-sent events on %s', (adapter) => {
  @Controller()
  class EventsController {
    @Sse('events')
    events() {
      return interval(10).pipe(map((tick) => ({ data: { tick } })));
    }
  }

  it('are counted as streams where they stay open, and are not waited for', async () => {
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
    await until('it is reported', async () => (await running.maintenance.instances())[0]!.streams === 1);
    expect(await running.maintenance.drained({ timeout: 5_000 })).toMatchObject({
      ...DRAINED,
      instances: [{ inFlight: 0, streams: 1 }],
    });
  });
});
