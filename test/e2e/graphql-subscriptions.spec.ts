import type { IncomingMessage } from 'node:http';
import { setTimeout as pause } from 'node:timers/promises';
import { type ExecutionContext } from '@nestjs/common';
import { GqlExecutionContext, GraphQLSchemaHost } from '@nestjs/graphql';
import { parse } from 'graphql';
import { createClient, type Client } from 'graphql-ws';
import WebSocket from 'ws';
import { ManualClock } from 'nestjs-maintenance/testing';
import { until } from '../tools/waiting.js';
import { ADAPTERS, start, type Running, type Setup } from './application.js';
import {
  CatsResolver,
  resetReached,
  createGraphqlModule,
  MixedResolver,
  reached,
  StatusResolver,
} from './graphql/cats.js';
import { SubscriptionClient, CURRENT, LEGACY } from './graphql/subscription-client.js';

declare const NEST_MAJOR: string;

const WITHOUT_EXEMPTIONS = [CatsResolver];
const WITH_EXEMPTIONS = [CatsResolver, MixedResolver, StatusResolver];

/** Records the events of one subscription. */
class Stream {
  events = 0;
  /** Errors inside of events. */
  readonly errors: unknown[] = [];
  readonly end: Promise<unknown>;
  #next: () => void = () => undefined;

  constructor(client: Client, query: string) {
    this.end = new Promise((resolve) => {
      client.subscribe(
        { query },
        {
          next: ({ errors }) => {
            this.events++;
            if (errors) this.errors.push(...errors);
            this.#next();
          },
          error: resolve,
          complete: () => resolve('complete'),
        },
      );
    });
  }

  /** Waits for further events. */
  async more(count = 3): Promise<void> {
    const wanted = this.events + count;
    const ended = this.end.then((end) => Promise.reject(new Error(`ended with ${JSON.stringify(end)}`)));
    while (this.events < wanted) await Promise.race([ended, new Promise<void>((resolve) => (this.#next = resolve))]);
    ended.catch(() => undefined);
  }
}

const createRefusal = (retryAfter: unknown = 3600) => [
  expect.objectContaining({
    message: expect.stringMatching(/maintenance/),
    extensions: expect.objectContaining({ errorCode: 'MAINTENANCE', retryAfter, scope: '*', mode: 'full' }),
  }),
];

describe.each(ADAPTERS)('GraphQL subscriptions (%s)', (adapter) => {
  let running: Running;
  let isOpen = false;
  const clients: Client[] = [];

  const startWith = (setup: Setup, subscriptions: object = { 'graphql-ws': true }, context?: object): Promise<void> =>
    startWithOptions(setup, { subscriptions, ...(context && { context }) });
  const startWithOptions = async (setup: Setup, options: object): Promise<void> => {
    resetReached();
    await close();
    running = await start(adapter, { ...setup, imports: [createGraphqlModule(options)] });
    isOpen = true;
  };
  const close = async (): Promise<void> => {
    if (isOpen) await running.close();
    isOpen = false;
  };
  const connect = (options: { headers?: Record<string, string>; retryAttempts?: number } = {}): Client => {
    const { headers, retryAttempts = 0 } = options;
    class Socket extends WebSocket {
      constructor(address: string, protocols: string | string[]) {
        super(address, protocols, { headers });
      }
    }
    const url = `ws://127.0.0.1:${running.port}/graphql`;
    const client = createClient({
      url,
      webSocketImpl: Socket,
      retryAttempts,
      retryWait: () => pause(20),
      shouldRetry: () => true,
    });
    clients.push(client);
    return client;
  };
  const upgrade = (protocol = 'graphql-transport-ws', path = '/graphql'): Promise<IncomingMessage | 'open'> =>
    new Promise((resolve, reject) => {
      const socket = new WebSocket(`ws://127.0.0.1:${running.port}${path}`, protocol);
      socket.on('unexpected-response', (_request, response) => resolve(response));
      socket.on('open', () => {
        socket.terminate();
        resolve('open');
      });
      socket.on('error', reject);
    });

  afterEach(async () => {
    for (const client of clients.splice(0)) await client.dispose();
    await close();
  });

  it('end with an error when a window starts and can be restarted after it', async () => {
    await startWith({ providers: WITHOUT_EXEMPTIONS });
    const client = connect();
    const tick = new Stream(client, 'subscription { tick }');
    const quiet = new Stream(client, 'subscription { quiet }');
    await tick.more();
    await running.maintenance.enable();
    await expect(tick.end).resolves.toEqual(createRefusal());
    await expect(quiet.end).resolves.toEqual(createRefusal());
    await until('both subscriptions are closed', () => reached.closed.length === 2);
    expect(reached.closed.sort()).toEqual(['quiet', 'tick']);
    const { events } = tick;

    await running.maintenance.disable();
    const again = new Stream(client, 'subscription { tick }');
    await again.more();
    expect([again.errors, tick.events]).toEqual([[], events]);
  });

  it('end when a planned window starts', async () => {
    const clock = new ManualClock(Date.now());
    await startWith({ providers: WITHOUT_EXEMPTIONS, clock });
    const tick = new Stream(connect(), 'subscription { tick }');
    const startsAt = clock.now() + 60_000;
    await running.maintenance.enable({ startsAt: new Date(startsAt), endsAt: new Date(startsAt + 60_000) });
    await tick.more();
    await clock.moveTo(startsAt);
    await expect(tick.end).resolves.toEqual(createRefusal(60));
  });

  it('are refused on an open connection', async () => {
    await startWith({ providers: WITH_EXEMPTIONS });
    const client = connect();
    const open = new Stream(client, 'subscription { openTick }');
    await open.more(1);
    await running.maintenance.enable();
    for (const query of ['subscription { tick }', '{ cats }', '{ __typename }', '{ __schema { description } }']) {
      await expect(new Stream(client, query).end).resolves.toEqual(createRefusal());
    }
    expect(reached).toMatchObject({ resolvers: [] });
  });

  it('continue if they are exempt', async () => {
    await startWith({ providers: WITH_EXEMPTIONS });
    const client = connect();
    const open = new Stream(client, 'subscription { openTick }');
    const closed = new Stream(client, 'subscription { tick }');
    await Promise.all([open.more(1), closed.more(1)]);
    await running.maintenance.enable();
    await expect(closed.end).resolves.toEqual(createRefusal());
    await open.more();
    const fresh = new Stream(connect(), 'subscription { openTick }');
    await fresh.more();
    expect([open.errors, fresh.errors]).toEqual([[], []]);
    await expect(new Stream(client, '{ status }').end).resolves.toBe('complete');
  });

  it('continue during a read-only window and a window on another scope', async () => {
    await startWith({ providers: WITHOUT_EXEMPTIONS });
    const client = connect();
    const tick = new Stream(client, 'subscription { tick }');
    await tick.more(1);
    await running.maintenance.enable({ mode: 'read-only' });
    await running.maintenance.enable({ scope: 'billing' });
    await tick.more();
    await expect(new Stream(client, 'mutation { adopt }').end).resolves.toEqual([
      expect.objectContaining({ extensions: expect.objectContaining({ mode: 'read-only' }) }),
    ]);
    expect([tick.errors, reached.resolvers]).toEqual([[], ['tick']]);
  });

  it('return 503 to new connections if nothing could be exempt', async () => {
    await startWith({ providers: WITHOUT_EXEMPTIONS });
    await running.maintenance.enable({ retryAfter: 60 });
    const response = (await upgrade()) as IncomingMessage;
    expect(response).toMatchObject({
      statusCode: 503,
      headers: { 'retry-after': '60', 'maintenance-mode': 'full;scope="*"' },
    });
    let body = '';
    for await (const chunk of response) body += String(chunk);
    expect(JSON.parse(body)).toEqual({ errors: createRefusal(60) });

    const patient = new Stream(connect({ retryAttempts: 500 }), 'subscription { tick }');
    await running.maintenance.disable();
    await patient.more();
    await expect(upgrade()).resolves.toBe('open');
  });

  it('accept new connections if a decorator or IP address could be exempt', async () => {
    for (const setup of [
      { providers: WITH_EXEMPTIONS },
      { providers: WITHOUT_EXEMPTIONS, options: { exempt: { ips: ['127.0.0.1'] } } },
    ]) {
      await startWith(setup);
      await running.maintenance.enable();
      await expect(upgrade()).resolves.toBe('open');
      if (setup.options) await new Stream(connect(), 'subscription { tick }').more();
      else await expect(new Stream(connect(), 'subscription { tick }').end).resolves.toEqual(createRefusal());
    }
  });

  it.each([
    [
      'set in onConnect',
      {
        'graphql-ws': {
          onConnect: ({ extra }: { extra: { request: IncomingMessage; user?: object } }) => {
            extra.user = { role: extra.request.headers['x-role'] };
          },
        },
      },
      undefined,
    ],
    [
      'in the context',
      { 'graphql-ws': true },
      ({ extra }: { extra: { request: IncomingMessage } }) => ({ user: { role: extra.request.headers['x-role'] } }),
    ],
  ])('continue for exempt roles of the user %s', async (_name, subscriptions, context) => {
    await startWith(
      { providers: WITHOUT_EXEMPTIONS, options: { exempt: { roles: ['staff'] } } },
      subscriptions,
      context,
    );
    const [staff, guest] = ['staff', 'guest'].map((role) => connect({ headers: { 'x-role': role } })) as [
      Client,
      Client,
    ];
    const open = new Stream(staff, 'subscription { tick }');
    const closed = new Stream(guest, 'subscription { tick }');
    await Promise.all([open.more(1), closed.more(1)]);
    await running.maintenance.enable();
    await expect(closed.end).resolves.toEqual(createRefusal());
    await open.more();
    const fresh = new Stream(staff, 'subscription { tick }');
    await fresh.more();
    await expect(new Stream(guest, 'subscription { tick }').end).resolves.toEqual(createRefusal());
    expect([open.errors, fresh.errors]).toEqual([[], []]);
  });

  it('continue if exempt.when is true, with the context that guards receive', async () => {
    const asked: string[] = [];
    const when = (context: ExecutionContext): boolean => {
      const call = GqlExecutionContext.create(context);
      asked.push(
        `${context.getClass().name}.${context.getHandler().name} ${call.getInfo<{ fieldName: string }>().fieldName}`,
      );
      return (
        call.getContext<{ req: { extra: { request: IncomingMessage } } }>().req.extra.request.headers['x-role'] ===
        'staff'
      );
    };
    await startWith({ providers: WITHOUT_EXEMPTIONS, options: { exempt: { when } } });
    const [staff, guest] = ['staff', 'guest'].map((role) => connect({ headers: { 'x-role': role } })) as [
      Client,
      Client,
    ];
    const open = new Stream(staff, 'subscription { tick }');
    const closed = new Stream(guest, 'subscription { tick }');
    await Promise.all([open.more(1), closed.more(1)]);
    await running.maintenance.enable();
    await expect(closed.end).resolves.toEqual(createRefusal());
    await open.more();
    expect(asked).toEqual(['CatsResolver.tick tick', 'CatsResolver.tick tick']);
    await expect(new Stream(guest, 'subscription { tick }').end).resolves.toEqual(createRefusal());
  });

  it('call the hooks of the application', async () => {
    const called: string[] = [];
    const hook = (name: string) => () => void called.push(name);
    const hooks = {
      onSubscribe: hook('onSubscribe'),
      onOperation: hook('onOperation'),
      onComplete: hook('onComplete'),
    };
    await startWith({ providers: WITHOUT_EXEMPTIONS }, { 'graphql-ws': hooks });
    const tick = new Stream(connect(), 'subscription { tick }');
    await tick.more(1);
    await running.maintenance.enable();
    await expect(tick.end).resolves.toEqual(createRefusal());
    await until('all hooks were called', () => called.length === 3);
    expect(called).toEqual(['onSubscribe', 'onOperation', 'onComplete']);
  });

  it('are refused if onSubscribe replaces the document', async () => {
    const onSubscribe = (_context: unknown, _id: string, { query }: { query: string }) => ({
      schema: running.app.get(GraphQLSchemaHost, { strict: false }).schema,
      document: parse(query.replace('subscription { openTick }', '{ __schema { description } }')),
    });
    await startWith({ providers: WITH_EXEMPTIONS }, { 'graphql-ws': { onSubscribe } });
    await expect(new Stream(connect(), 'subscription { openTick }').end).resolves.toBe('complete');
    await running.maintenance.enable();
    await expect(new Stream(connect(), 'subscription { openTick }').end).resolves.toEqual(createRefusal());
  });

  it('close their source when the client disconnects or the application is closed', async () => {
    await startWith({ providers: WITHOUT_EXEMPTIONS });
    const first = connect();
    await new Stream(first, 'subscription { tick }').more(1);
    await first.dispose();
    await until('a subscription is closed', () => reached.closed.length === 1);
    await new Stream(connect(), 'subscription { tick }').more(1);
    await close();
    await until('both subscriptions are closed', () => reached.closed.length === 2);
    const subject = running.maintenance.changes as unknown as { source?: { observed: boolean }; observed?: boolean };
    expect(subject.source?.observed ?? subject.observed).toBe(false);
  });

  it('continue if mount.guard is false', async () => {
    await startWith({ providers: WITHOUT_EXEMPTIONS, extras: { mount: { guard: false } } });
    const tick = new Stream(connect(), 'subscription { tick }');
    await tick.more(1);
    await running.maintenance.enable();
    await tick.more();
    await expect(upgrade()).resolves.toBe('open');
  });

  // @nestjs/apollo 14, for Nest 12, does not support it.
  if (NEST_MAJOR === '11') {
    describe('over subscriptions-transport-ws', () => {
      const createError = (id: string) => ({ id, type: 'error', payload: createRefusal()[0] as unknown });
      const open: SubscriptionClient[] = [];
      const connectLegacy = async (headers?: Record<string, string>): Promise<SubscriptionClient> => {
        const conversation = await SubscriptionClient.open(running.port, LEGACY, headers);
        open.push(conversation);
        return conversation;
      };

      afterEach(() => {
        for (const conversation of open.splice(0)) conversation.close();
      });

      it.each([
        ['`installSubscriptionHandlers`', { installSubscriptionHandlers: true, subscriptions: undefined }],
        ['`subscriptions-transport-ws`', { subscriptions: { 'subscriptions-transport-ws': true } }],
        ['both protocols', { subscriptions: { 'graphql-ws': true, 'subscriptions-transport-ws': {} } }],
      ])('end with an error and can be restarted after the window: %s', async (_name, options) => {
        await startWithOptions({ providers: WITHOUT_EXEMPTIONS }, options);
        const conversation = await connectLegacy();
        conversation.start('tick', 'subscription { tick }');
        conversation.start('quiet', 'subscription { quiet }');
        await conversation.waitForEvents('tick');
        await running.maintenance.enable();
        expect(await conversation.waitForEnd('tick')).toEqual(createError('tick'));
        expect(await conversation.waitForEnd('quiet')).toEqual(createError('quiet'));
        await until('both subscriptions are closed', () => reached.closed.length === 2);
        expect((await upgrade(LEGACY)) as IncomingMessage).toMatchObject({ statusCode: 503 });

        await running.maintenance.disable();
        conversation.start('again', 'subscription { tick }');
        await conversation.waitForEvents('again');
      });

      it('are refused on an open connection like all other operations', async () => {
        await startWithOptions(
          { providers: WITHOUT_EXEMPTIONS },
          { installSubscriptionHandlers: true, subscriptions: undefined },
        );
        const conversation = await connectLegacy();
        await running.maintenance.enable();
        const queries = ['subscription { tick }', '{ cats }', 'mutation { adopt }', '{ __schema { description } }'];
        for (const query of queries) {
          conversation.start(query, query);
          expect(await conversation.waitForEnd(query)).toEqual(createError(query));
        }
        expect(reached.resolvers).toEqual([]);
      });

      it('continue with @SkipMaintenance()', async () => {
        await startWithOptions(
          { providers: WITH_EXEMPTIONS },
          { subscriptions: { 'subscriptions-transport-ws': true } },
        );
        const conversation = await connectLegacy();
        conversation.start('open', 'subscription { openTick }');
        conversation.start('closed', 'subscription { tick }');
        await Promise.all([conversation.waitForEvents('open'), conversation.waitForEvents('closed')]);
        await running.maintenance.enable();
        expect(await conversation.waitForEnd('closed')).toEqual(createError('closed'));
        await conversation.waitForEvents('open');
        const fresh = await connectLegacy();
        fresh.start('open', 'subscription { openTick }');
        await fresh.waitForEvents('open');
      });

      it('continue for exempt roles of the user returned by onConnect', async () => {
        const onConnect = (_params: object, _socket: object, { request }: { request: IncomingMessage }) => ({
          user: { role: request.headers['x-role'] },
        });
        const setup = { providers: WITHOUT_EXEMPTIONS, options: { exempt: { roles: ['staff'] } } };
        await startWithOptions(setup, { subscriptions: { 'subscriptions-transport-ws': { onConnect } } });
        const [staff, guest] = [await connectLegacy({ 'x-role': 'staff' }), await connectLegacy({ 'x-role': 'guest' })];
        for (const one of [staff, guest]) one.start('tick', 'subscription { tick }');
        await Promise.all([staff.waitForEvents('tick'), guest.waitForEvents('tick')]);
        await running.maintenance.enable();
        expect(await guest.waitForEnd('tick')).toEqual(createError('tick'));
        await staff.waitForEvents('tick');
        staff.start('fresh', 'subscription { tick }');
        await staff.waitForEvents('fresh');
      });

      it('continue for exempt IP addresses', async () => {
        const setup = { providers: WITHOUT_EXEMPTIONS, options: { exempt: { ips: ['127.0.0.1'] } } };
        await startWithOptions(setup, { subscriptions: { 'subscriptions-transport-ws': true } });
        await running.maintenance.enable();
        const conversation = await connectLegacy();
        conversation.start('tick', 'subscription { tick }');
        await conversation.waitForEvents('tick');
      });

      it('call the hooks of the application', async () => {
        const called: string[] = [];
        const onOperation = (_message: object, params: object): object => {
          called.push('onOperation');
          return params;
        };
        const onOperationComplete = (): void => void called.push('onOperationComplete');
        const options = { 'subscriptions-transport-ws': { onOperation, onOperationComplete } };
        await startWithOptions({ providers: WITHOUT_EXEMPTIONS }, { subscriptions: options });
        const conversation = await connectLegacy();
        conversation.start('tick', 'subscription { tick }');
        await conversation.waitForEvents('tick');
        conversation.send({ id: 'tick', type: 'stop' });
        await until('both hooks were called', () => called.length === 2);
        expect(called).toEqual(['onOperation', 'onOperationComplete']);
      });

      it('continue if mount.guard is false', async () => {
        const setup = { providers: WITHOUT_EXEMPTIONS, extras: { mount: { guard: false } } };
        await startWithOptions(setup, { subscriptions: { 'subscriptions-transport-ws': true } });
        const conversation = await connectLegacy();
        conversation.start('tick', 'subscription { tick }');
        await conversation.waitForEvents('tick');
        await running.maintenance.enable();
        await conversation.waitForEvents('tick');
      });
    });
  }

  it('end with the protocol that `installSubscriptionHandlers` selects', async () => {
    // @nestjs/apollo 13, for Nest 11, chooses the older one.
    const protocol = NEST_MAJOR === '11' ? LEGACY : CURRENT;
    await startWithOptions(
      { providers: WITHOUT_EXEMPTIONS },
      { installSubscriptionHandlers: true, subscriptions: undefined },
    );
    const conversation = await SubscriptionClient.open(running.port, protocol);
    conversation.start('tick', 'subscription { tick }');
    await conversation.waitForEvents('tick');
    await running.maintenance.enable();
    expect((await conversation.waitForEnd('tick')).type).toBe('error');
    conversation.close();
  });
});
