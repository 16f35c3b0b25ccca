import type { IncomingMessage } from 'node:http';
import { setTimeout as pause } from 'node:timers/promises';
import { type ExecutionContext } from '@nestjs/common';
import { GqlExecutionContext, GraphQLSchemaHost } from '@nestjs/graphql';
import { parse } from 'graphql';
import { createClient, type Client } from 'graphql-ws';
import WebSocket from 'ws';
import { ADAPTERS, start, type Running, type Setup } from './application.js';
import { CatsResolver, forget, graphqlModule, MixedResolver, reached, StatusResolver } from './graphql/cats.js';
import { Conversation, CURRENT, LEGACY } from './graphql/conversation.js';

declare const NEST_MAJOR: string;

const CLOSED = [CatsResolver];
const MIXED = [CatsResolver, MixedResolver, StatusResolver];

/** What one subscription has got. */
class Stream {
  events = 0;
  /** Errors in events. */
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

  /** Resolves when further events have come. */
  async more(count = 3): Promise<void> {
    const wanted = this.events + count;
    const ended = this.end.then((end) => Promise.reject(new Error(`ended with ${JSON.stringify(end)}`)));
    while (this.events < wanted) await Promise.race([ended, new Promise<void>((resolve) => (this.#next = resolve))]);
    ended.catch(() => undefined);
  }
}

const REFUSED = (retryAfter: unknown = 3600) => [
  expect.objectContaining({
    message: expect.stringMatching(/maintenance/),
    extensions: expect.objectContaining({ code: 'SERVICE_UNAVAILABLE', retryAfter, scope: '*', mode: 'full' }),
  }),
];

async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await pause(5);
}

describe.each(ADAPTERS)('GraphQL subscriptions on %s', (adapter) => {
  let running: Running;
  let isOpen = false;
  const clients: Client[] = [];

  const begin = (setup: Setup, subscriptions: object = { 'graphql-ws': true }, context?: object): Promise<void> =>
    beginWith(setup, { subscriptions, ...(context && { context }) });
  const beginWith = async (setup: Setup, options: object): Promise<void> => {
    forget();
    await close();
    running = await start(adapter, { ...setup, imports: [graphqlModule(options)] });
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

  it('are completed with the error when a window begins, also while they wait, and can be made again afterwards', async () => {
    await begin({ providers: CLOSED });
    const client = connect();
    const tick = new Stream(client, 'subscription { tick }');
    const quiet = new Stream(client, 'subscription { quiet }');
    await tick.more();
    await running.maintenance.enable();
    await expect(tick.end).resolves.toEqual(REFUSED());
    await expect(quiet.end).resolves.toEqual(REFUSED());
    await until(() => reached.closed.length === 2);
    expect(reached.closed.sort()).toEqual(['quiet', 'tick']);
    const { events } = tick;

    await running.maintenance.disable();
    const again = new Stream(client, 'subscription { tick }');
    await again.more();
    expect([again.errors, tick.events]).toEqual([[], events]);
  });

  it('are completed by the clock', async () => {
    await begin({ providers: CLOSED });
    const tick = new Stream(connect(), 'subscription { tick }');
    await running.maintenance.enable({ startsAt: new Date(Date.now() + 300), endsAt: new Date(Date.now() + 60_000) });
    await tick.more();
    await expect(tick.end).resolves.toEqual(REFUSED(60));
  });

  it('are refused on a connection that is open', async () => {
    await begin({ providers: MIXED });
    const client = connect();
    const open = new Stream(client, 'subscription { openTick }');
    await open.more(1);
    await running.maintenance.enable();
    for (const query of ['subscription { tick }', '{ cats }', '{ __typename }', '{ __schema { description } }']) {
      await expect(new Stream(client, query).end).resolves.toEqual(REFUSED());
    }
    expect(reached).toMatchObject({ resolvers: [] });
  });

  it('go on where they are exempt', async () => {
    await begin({ providers: MIXED });
    const client = connect();
    const open = new Stream(client, 'subscription { openTick }');
    const closed = new Stream(client, 'subscription { tick }');
    await Promise.all([open.more(1), closed.more(1)]);
    await running.maintenance.enable();
    await expect(closed.end).resolves.toEqual(REFUSED());
    await open.more();
    const fresh = new Stream(connect(), 'subscription { openTick }');
    await fresh.more();
    expect([open.errors, fresh.errors]).toEqual([[], []]);
    await expect(new Stream(client, '{ status }').end).resolves.toBe('complete');
  });

  it('go on in a window that is read-only, or on another scope', async () => {
    await begin({ providers: CLOSED });
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

  it('have no new connections where nothing could be exempt', async () => {
    await begin({ providers: CLOSED });
    await running.maintenance.enable({ retryAfter: 60 });
    const response = (await upgrade()) as IncomingMessage;
    expect(response).toMatchObject({ statusCode: 503, headers: { 'retry-after': '60', 'cache-control': 'no-store' } });
    let body = '';
    for await (const chunk of response) body += String(chunk);
    expect(JSON.parse(body)).toEqual({ errors: REFUSED(60) });

    const patient = new Stream(connect({ retryAttempts: 500 }), 'subscription { tick }');
    await running.maintenance.disable();
    await patient.more();
    await expect(upgrade()).resolves.toBe('open');
  });

  it('have new connections where something is exempt, by decorator or by address', async () => {
    for (const setup of [{ providers: MIXED }, { providers: CLOSED, options: { exempt: { ips: ['127.0.0.1'] } } }]) {
      await begin(setup);
      await running.maintenance.enable();
      await expect(upgrade()).resolves.toBe('open');
      if (setup.options) await new Stream(connect(), 'subscription { tick }').more();
      else await expect(new Stream(connect(), 'subscription { tick }').end).resolves.toEqual(REFUSED());
    }
  });

  it.each([
    [
      'on the connection',
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
  ])('go on for roles of the user %s', async (_name, subscriptions, context) => {
    await begin({ providers: CLOSED, options: { exempt: { roles: ['staff'] } } }, subscriptions, context);
    const [staff, guest] = ['staff', 'guest'].map((role) => connect({ headers: { 'x-role': role } })) as [
      Client,
      Client,
    ];
    const open = new Stream(staff, 'subscription { tick }');
    const closed = new Stream(guest, 'subscription { tick }');
    await Promise.all([open.more(1), closed.more(1)]);
    await running.maintenance.enable();
    await expect(closed.end).resolves.toEqual(REFUSED());
    await open.more();
    const fresh = new Stream(staff, 'subscription { tick }');
    await fresh.more();
    await expect(new Stream(guest, 'subscription { tick }').end).resolves.toEqual(REFUSED());
    expect([open.errors, fresh.errors]).toEqual([[], []]);
  });

  it('go on by a condition of the application, which sees what guards see', async () => {
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
    await begin({ providers: CLOSED, options: { exempt: { when } } });
    const [staff, guest] = ['staff', 'guest'].map((role) => connect({ headers: { 'x-role': role } })) as [
      Client,
      Client,
    ];
    const open = new Stream(staff, 'subscription { tick }');
    const closed = new Stream(guest, 'subscription { tick }');
    await Promise.all([open.more(1), closed.more(1)]);
    await running.maintenance.enable();
    await expect(closed.end).resolves.toEqual(REFUSED());
    await open.more();
    expect(asked).toEqual(['CatsResolver.tick tick', 'CatsResolver.tick tick']);
    await expect(new Stream(guest, 'subscription { tick }').end).resolves.toEqual(REFUSED());
  });

  it('keep the hooks of the application', async () => {
    const called: string[] = [];
    const hook = (name: string) => () => void called.push(name);
    const hooks = {
      onSubscribe: hook('onSubscribe'),
      onOperation: hook('onOperation'),
      onComplete: hook('onComplete'),
    };
    await begin({ providers: CLOSED }, { 'graphql-ws': hooks });
    const tick = new Stream(connect(), 'subscription { tick }');
    await tick.more(1);
    await running.maintenance.enable();
    await expect(tick.end).resolves.toEqual(REFUSED());
    await until(() => called.length === 3);
    expect(called).toEqual(['onSubscribe', 'onOperation', 'onComplete']);
  });

  it('are refused whichever document the application puts in their place', async () => {
    const onSubscribe = (_context: unknown, _id: string, { query }: { query: string }) => ({
      schema: running.app.get(GraphQLSchemaHost, { strict: false }).schema,
      document: parse(query.replace('subscription { openTick }', '{ __schema { description } }')),
    });
    await begin({ providers: MIXED }, { 'graphql-ws': { onSubscribe } });
    await expect(new Stream(connect(), 'subscription { openTick }').end).resolves.toBe('complete');
    await running.maintenance.enable();
    await expect(new Stream(connect(), 'subscription { openTick }').end).resolves.toEqual(REFUSED());
  });

  it('leave nothing behind: a client that goes closes its source, and so does the application', async () => {
    await begin({ providers: CLOSED });
    const first = connect();
    await new Stream(first, 'subscription { tick }').more(1);
    await first.dispose();
    await until(() => reached.closed.length === 1);
    await new Stream(connect(), 'subscription { tick }').more(1);
    await close();
    await until(() => reached.closed.length === 2);
    const subject = running.maintenance.changes as unknown as { source?: { observed: boolean }; observed?: boolean };
    expect(subject.source?.observed ?? subject.observed).toBe(false);
  });

  it('go on where resolvers choose their guards', async () => {
    await begin({ providers: CLOSED, extras: { mount: { guard: false } } });
    const tick = new Stream(connect(), 'subscription { tick }');
    await tick.more(1);
    await running.maintenance.enable();
    await tick.more();
    await expect(upgrade()).resolves.toBe('open');
  });

  // @nestjs/apollo 14, for Nest 12, does without it.
  if (NEST_MAJOR === '11') {
    describe('of the older protocol', () => {
      const ERROR = (id: string) => ({ id, type: 'error', payload: REFUSED()[0] as unknown });
      const open: Conversation[] = [];
      const converse = async (headers?: Record<string, string>): Promise<Conversation> => {
        const conversation = await Conversation.open(running.port, LEGACY, headers);
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
      ])('end with the error with %s, and can be made again afterwards', async (_name, options) => {
        await beginWith({ providers: CLOSED }, options);
        const conversation = await converse();
        conversation.start('tick', 'subscription { tick }');
        conversation.start('quiet', 'subscription { quiet }');
        await conversation.more('tick');
        await running.maintenance.enable();
        expect(await conversation.end('tick')).toEqual(ERROR('tick'));
        expect(await conversation.end('quiet')).toEqual(ERROR('quiet'));
        await until(() => reached.closed.length === 2);
        expect((await upgrade(LEGACY)) as IncomingMessage).toMatchObject({ statusCode: 503 });

        await running.maintenance.disable();
        conversation.start('again', 'subscription { tick }');
        await conversation.more('again');
      });

      it('are refused on a connection that is open, as is every other operation', async () => {
        await beginWith({ providers: CLOSED }, { installSubscriptionHandlers: true, subscriptions: undefined });
        const conversation = await converse();
        await running.maintenance.enable();
        const queries = ['subscription { tick }', '{ cats }', 'mutation { adopt }', '{ __schema { description } }'];
        for (const query of queries) {
          conversation.start(query, query);
          expect(await conversation.end(query)).toEqual(ERROR(query));
        }
        expect(reached.resolvers).toEqual([]);
      });

      it('go on where a decorator exempts them', async () => {
        await beginWith({ providers: MIXED }, { subscriptions: { 'subscriptions-transport-ws': true } });
        const conversation = await converse();
        conversation.start('open', 'subscription { openTick }');
        conversation.start('closed', 'subscription { tick }');
        await Promise.all([conversation.more('open'), conversation.more('closed')]);
        await running.maintenance.enable();
        expect(await conversation.end('closed')).toEqual(ERROR('closed'));
        await conversation.more('open');
        const fresh = await converse();
        fresh.start('open', 'subscription { openTick }');
        await fresh.more('open');
      });

      it('go on for roles of the user that the application finds', async () => {
        const onConnect = (_params: object, _socket: object, { request }: { request: IncomingMessage }) => ({
          user: { role: request.headers['x-role'] },
        });
        const setup = { providers: CLOSED, options: { exempt: { roles: ['staff'] } } };
        await beginWith(setup, { subscriptions: { 'subscriptions-transport-ws': { onConnect } } });
        const [staff, guest] = [await converse({ 'x-role': 'staff' }), await converse({ 'x-role': 'guest' })];
        for (const one of [staff, guest]) one.start('tick', 'subscription { tick }');
        await Promise.all([staff.more('tick'), guest.more('tick')]);
        await running.maintenance.enable();
        expect(await guest.end('tick')).toEqual(ERROR('tick'));
        await staff.more('tick');
        staff.start('fresh', 'subscription { tick }');
        await staff.more('fresh');
      });

      it('go on for addresses', async () => {
        const setup = { providers: CLOSED, options: { exempt: { ips: ['127.0.0.1'] } } };
        await beginWith(setup, { subscriptions: { 'subscriptions-transport-ws': true } });
        await running.maintenance.enable();
        const conversation = await converse();
        conversation.start('tick', 'subscription { tick }');
        await conversation.more('tick');
      });

      it('keep the hooks of the application', async () => {
        const called: string[] = [];
        const onOperation = (_message: object, params: object): object => {
          called.push('onOperation');
          return params;
        };
        const onOperationComplete = (): void => void called.push('onOperationComplete');
        const options = { 'subscriptions-transport-ws': { onOperation, onOperationComplete } };
        await beginWith({ providers: CLOSED }, { subscriptions: options });
        const conversation = await converse();
        conversation.start('tick', 'subscription { tick }');
        await conversation.more('tick');
        conversation.send({ id: 'tick', type: 'stop' });
        await until(() => called.length === 2);
        expect(called).toEqual(['onOperation', 'onOperationComplete']);
      });

      it('go on where resolvers choose their guards', async () => {
        const setup = { providers: CLOSED, extras: { mount: { guard: false } } };
        await beginWith(setup, { subscriptions: { 'subscriptions-transport-ws': true } });
        const conversation = await converse();
        conversation.start('tick', 'subscription { tick }');
        await conversation.more('tick');
        await running.maintenance.enable();
        await conversation.more('tick');
      });
    });
  }

  it('are completed where `installSubscriptionHandlers` chooses the protocol', async () => {
    // @nestjs/apollo 13, for Nest 11, chooses the older one.
    const protocol = NEST_MAJOR === '11' ? LEGACY : CURRENT;
    await beginWith({ providers: CLOSED }, { installSubscriptionHandlers: true, subscriptions: undefined });
    const conversation = await Conversation.open(running.port, protocol);
    conversation.start('tick', 'subscription { tick }');
    await conversation.more('tick');
    await running.maintenance.enable();
    expect((await conversation.end('tick')).type).toBe('error');
    conversation.close();
  });
});
