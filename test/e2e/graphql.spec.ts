import { Agent, request as httpRequest } from 'node:http';
import { Injectable, Module, UseGuards, type CanActivate, type ExecutionContext } from '@nestjs/common';
import { ApolloDriver, type ApolloDriverConfig } from '@nestjs/apollo';
import { APP_GUARD } from '@nestjs/core';
import { GqlExecutionContext, GraphQLModule, Query, Resolver } from '@nestjs/graphql';
import { ClientError, GraphQLClient } from 'graphql-request';
import { MaintenanceGuard, SkipMaintenance } from 'nestjs-maintenance';
import { ADAPTERS, start, type Running } from './application.js';
import type { Reply } from './client.js';
import {
  CatsResolver,
  forget,
  graphqlModule,
  MixedResolver,
  ScopedResolver,
  reached,
  SessionsModule,
  settings,
  StatusResolver,
} from './graphql/cats.js';

const EVERYTHING = [CatsResolver, MixedResolver, StatusResolver, ScopedResolver];
const ALL_CLOSED = [CatsResolver];
const JSON_TYPE = 'application/json; charset=utf-8';

type Sent = string | object;

/** Sends an operation as a client without a library would. */
function send({ call }: Running, sent: Sent, headers: Record<string, string> = {}, path = '/graphql'): Promise<Reply> {
  const body = JSON.stringify(typeof sent === 'string' ? { query: sent } : sent);
  return call(path, { method: 'POST', headers: { 'content-type': 'application/json', ...headers }, body });
}

function get({ call }: Running, query: string, headers: Record<string, string> = {}): Promise<Reply> {
  return call(`/graphql?query=${encodeURIComponent(query)}`, {
    headers: { 'apollo-require-preflight': '1', ...headers },
  });
}

function expectRefusal(reply: Reply, expected: { retryAfter?: number; type?: string } = {}): void {
  const { retryAfter = 3600, type = JSON_TYPE } = expected;
  expect(reply.status).toBe(503);
  expect(reply.headers['retry-after']).toBe(String(retryAfter));
  expect(reply.headers['cache-control']).toBe('no-store');
  expect(reply.headers['content-type']).toBe(type);
  const { errors } = reply.json<{ errors: { message: string; extensions: object }[] }>();
  expect(errors[0]!.message).toMatch(/maintenance/);
  expect(errors[0]!.extensions).toMatchObject({ code: 'SERVICE_UNAVAILABLE', retryAfter });
}

function dataOf(reply: Reply): unknown {
  expect([reply.status, reply.text]).toEqual([200, expect.stringContaining('"data"')]);
  return reply.json().data;
}

const BATCH = [{ query: '{ cats }' }, { query: '{ __typename }' }];
const UNKNOWN_HASH = { extensions: { persistedQuery: { version: 1, sha256Hash: 'a'.repeat(64) } } };

const CLOSED: { name: string; ask: (running: Running) => Promise<Reply>; type?: string }[] = [
  { name: 'a query', ask: (running) => send(running, '{ cats }') },
  { name: 'a mutation', ask: (running) => send(running, 'mutation { adopt }') },
  {
    name: 'an alias and a fragment',
    ask: (running) => send(running, '{ a: __typename ...f } fragment f on Query { b: cats }'),
  },
  { name: '{ __typename }', ask: (running) => send(running, '{ __typename }') },
  { name: 'introspection', ask: (running) => send(running, '{ __schema { types { name } } }') },
  { name: 'a field that the schema has not', ask: (running) => send(running, '{ nothing }') },
  { name: 'a batch', ask: (running) => send(running, BATCH) },
  { name: 'a query by GET', ask: (running) => get(running, '{ cats }') },
  { name: 'a mutation by GET', ask: (running) => get(running, 'mutation { adopt }') },
  {
    name: 'a client of the newer media type',
    ask: (running) =>
      send(running, '{ cats }', { accept: 'application/graphql-response+json, application/json;q=0.9' }),
    type: 'application/graphql-response+json; charset=utf-8',
  },
  { name: 'a client that takes anything', ask: (running) => send(running, '{ cats }', { accept: '*/*' }) },
];

const CLOSED_WHOLLY: typeof CLOSED = [
  ...CLOSED,
  { name: 'a syntax error', ask: (running) => send(running, '{ cats') },
  { name: 'a persisted query', ask: (running) => send(running, UNKNOWN_HASH) },
  { name: 'an empty body', ask: (running) => send(running, {}) },
  {
    name: 'a malformed body',
    ask: ({ call }) =>
      call('/graphql', { method: 'POST', headers: { 'content-type': 'application/json' }, body: '{"query":' }),
  },
  { name: 'a GET that browsers could be made to send', ask: ({ call }) => call('/graphql?query=%7Bcats%7D') },
  { name: 'a trailing slash', ask: (running) => send(running, '{ cats }', {}, '/graphql/') },
];

describe.each(ADAPTERS)('GraphQL on %s, a full window', (adapter) => {
  describe('where nothing is exempt', () => {
    let running: Running;
    beforeAll(async () => {
      running = await start(adapter, { imports: [SessionsModule, graphqlModule()], providers: ALL_CLOSED });
    });
    afterAll(() => running.close());
    beforeEach(forget);
    afterEach(() => running.maintenance.disable());

    it.each(CLOSED_WHOLLY)('refuses $name before a session is opened', async ({ ask, type }) => {
      await running.maintenance.enable({ message: 'Down for maintenance.' });
      expectRefusal(await ask(running), { type });
      expect(reached).toMatchObject({ sessions: 0, contexts: 0, resolvers: [] });
    });

    it('serves as ever while there is none', async () => {
      const reply = await send(running, '{ cats __typename }');
      expect(dataOf(reply)).toEqual({ cats: 'cats', __typename: 'Query' });
      expect(reached).toMatchObject({ sessions: 1, contexts: 1 });
      expect(reply.headers['retry-after']).toBeUndefined();
    });

    it('tells all that is known of the window', async () => {
      const endsAt = new Date(Date.now() + 90_000).toISOString();
      const { windows } = await running.maintenance.enable({ endsAt, message: 'Back soon' });
      const { errors } = (await send(running, '{ cats }')).json<{ errors: unknown[] }>();
      const { startsAt } = windows.active[0]!;
      const retryAfter = expect.any(Number);
      const extensions = { code: 'SERVICE_UNAVAILABLE', retryAfter, startsAt, endsAt, scope: '*', mode: 'full' };
      expect(errors).toEqual([{ message: 'Back soon', extensions }]);
    });

    it('shows browsers the page', async () => {
      await running.maintenance.enable();
      const reply = await running.call('/graphql', { headers: { accept: 'text/html,*/*;q=0.8' } });
      expect(reply).toMatchObject({ status: 503, headers: { 'content-type': 'text/html; charset=utf-8' } });
      expectRefusal(await running.call('/graphql', { headers: { accept: 'application/json' } }));
    });

    it('speaks GraphQL at the endpoint only', async () => {
      await running.maintenance.enable();
      for (const path of ['//graphql', '/graphqls', '/%67raphql', '/cats']) {
        expect(await send(running, '{ cats }', {}, path)).toMatchObject({
          status: 503,
          headers: { 'content-type': 'application/problem+json' },
        });
      }
    });

    it('is an error with words for graphql-request', async () => {
      const client = new GraphQLClient(`http://127.0.0.1:${running.port}/graphql`);
      await expect(client.request('{ cats }')).resolves.toEqual({ cats: 'cats' });
      await running.maintenance.enable({ retryAfter: 77 });
      const error = await client.request('{ cats }').catch((caught: unknown) => caught as ClientError);
      expect(error).toBeInstanceOf(ClientError);
      expect((error as ClientError).response).toMatchObject({
        status: 503,
        errors: [{ extensions: { code: 'SERVICE_UNAVAILABLE', retryAfter: 77 } }],
      });
      await running.maintenance.disable();
      await expect(client.request('{ cats }')).resolves.toEqual({ cats: 'cats' });
    });

    it('leaves the connection alone, which serves again afterwards', async () => {
      const agent = new Agent({ keepAlive: true, maxSockets: 1 });
      const ports = new Set<number | undefined>();
      const ask = (): Promise<number | undefined> =>
        new Promise((resolve, reject) => {
          const headers = { 'content-type': 'application/json' };
          const options = { host: '127.0.0.1', port: running.port, path: '/graphql', method: 'POST', agent, headers };
          const outgoing = httpRequest(options, (incoming) => {
            ports.add(outgoing.socket?.localPort);
            incoming.resume().on('end', () => resolve(incoming.statusCode));
          });
          outgoing.on('error', reject).end('{"query":"{ cats }"}');
        });
      expect(await ask()).toBe(200);
      await running.maintenance.enable();
      expect(await ask()).toBe(503);
      await running.maintenance.disable();
      expect(await ask()).toBe(200);
      expect(ports.size).toBe(1);
      agent.destroy();
    });

    it('admits by address and by path, and keeps that out of caches', async () => {
      for (const exempt of [{ ips: ['127.0.0.1'] }, { urls: ['/graphql'] }]) {
        const other = await start(adapter, { imports: [graphqlModule()], providers: ALL_CLOSED, options: { exempt } });
        await other.maintenance.enable();
        for (const query of ['{ cats }', 'mutation { adopt }', '{ __typename }']) {
          const reply = await send(other, query);
          expect(dataOf(reply)).toBeDefined();
          expect(reply.headers['cache-control']).toBe('private, no-store');
        }
        await other.close();
      }
    });
  });

  describe('where some fields are exempt', () => {
    let running: Running;
    const logged: unknown[] = [];
    beforeAll(async () => {
      const note = (...words: unknown[]): void => void logged.push(words);
      running = await start(adapter, {
        imports: [graphqlModule({ fieldResolverEnhancers: ['guards'] })],
        providers: EVERYTHING,
        create: { logger: { log: () => undefined, warn: note, error: note, fatal: note } },
      });
    });
    afterAll(() => running.close());
    beforeEach(() => {
      forget();
      logged.length = 0;
    });
    afterEach(() => running.maintenance.disable());

    it.each([
      ...CLOSED,
      { name: 'an exempt field beside another', ask: (on: Running) => send(on, '{ status cats }'), type: undefined },
      {
        name: 'an exempt field beside introspection',
        ask: (on: Running) => send(on, '{ status __schema { description } }'),
      },
      { name: 'an undone mark', ask: (on: Running) => send(on, '{ undone }') },
      { name: 'a field of a request-scoped class', ask: (on: Running) => send(on, '{ scopedClosed }') },
      { name: 'a forced field', ask: (on: Running) => send(on, '{ forced }') },
      { name: 'the field of another type', ask: (on: Running) => send(on, 'mutation { status }') },
    ])('refuses $name before the context is made', async ({ ask, type }) => {
      await running.maintenance.enable();
      expectRefusal(await ask(running), { type });
      expect(reached).toMatchObject({ contexts: 0, resolvers: [] });
      expect(logged).toEqual([]);
    });

    it.each([
      ['a class', '{ status }', { status: 'status' }],
      ['a field with an alias', '{ s: status __typename }', { s: 'status', __typename: 'Query' }],
      ['a field with children', '{ mascot { name mood } }', { mascot: { name: 'mascot', mood: 'mood' } }],
      ['a field of a request-scoped class', '{ scopedOpen }', { scopedOpen: 'scopedOpen' }],
      ['a mutation', 'mutation { report }', { report: 'report' }],
      ['a fragment', '{ ...f } fragment f on Query { status }', { status: 'status' }],
    ])('admits what @SkipMaintenance() is on: %s', async (_name, query, data) => {
      await running.maintenance.enable();
      const reply = await send(running, query);
      expect(dataOf(reply)).toEqual(data);
      expect(reply.headers['cache-control']).not.toBe('private, no-store');
    });

    it('takes the operation that is named', async () => {
      await running.maintenance.enable();
      const query = 'query a { cats } query b { status }';
      expect(dataOf(await send(running, { query, operationName: 'b' }))).toEqual({ status: 'status' });
      expectRefusal(await send(running, { query, operationName: 'a' }));
    });

    it('decides a batch item by item, and a persisted query once it is known', async () => {
      await running.maintenance.enable();
      const batch = await send(running, [{ query: '{ status }' }, { query: '{ cats }' }]);
      expect(batch).toMatchObject({ status: 503, headers: { 'retry-after': '3600' } });
      expect(batch.json()).toMatchObject([
        { data: { status: 'status' } },
        { errors: [{ extensions: { retryAfter: 3600 } }] },
      ]);

      const { createHash } = await import('node:crypto');
      const persisted = (query: string): object => {
        const sha256Hash = createHash('sha256').update(query).digest('hex');
        return { extensions: { persistedQuery: { version: 1, sha256Hash } } };
      };
      await running.maintenance.disable();
      for (const query of ['{ cats }', '{ status }']) await send(running, { query, ...persisted(query) });
      await running.maintenance.enable();
      forget();
      expect(dataOf(await send(running, persisted('{ status }')))).toEqual({ status: 'status' });
      expectRefusal(await send(running, persisted('{ cats }')));
      expect(reached.resolvers).toEqual(['status']);
    });

    it('leaves mistakes to GraphQL', async () => {
      await running.maintenance.enable();
      expect(await send(running, '{ status')).toMatchObject({ status: 400 });
      expect(await send(running, { query: 'query a { status } query b { cats }' })).toMatchObject({ status: 400 });
    });

    it('does not greet browsers', async () => {
      await running.maintenance.enable();
      const reply = await running.call('/graphql', { headers: { accept: 'text/html' } });
      expect(reply).toMatchObject({ status: 503, headers: { 'content-type': 'text/html; charset=utf-8' } });
    });

    it('refuses a forced field even while there is none', async () => {
      expectRefusal(await send(running, '{ forced }'));
      expect(dataOf(await send(running, '{ cats }'))).toEqual({ cats: 'cats' });
    });

    it('on a scope closes what is in it', async () => {
      await running.maintenance.enable({ scope: 'billing' });
      expectRefusal(await send(running, '{ invoices }'));
      expectRefusal(await send(running, '{ cats invoices }'));
      expect(dataOf(await send(running, '{ cats }'))).toEqual({ cats: 'cats' });
      expect(dataOf(await send(running, '{ __typename }'))).toEqual({ __typename: 'Query' });
    });

    it('that is read-only refuses mutations', async () => {
      await running.maintenance.enable({ mode: 'read-only' });
      for (const query of ['{ cats }', '{ __typename }', 'mutation { search }', 'mutation { report }']) {
        expect(dataOf(await send(running, query))).toBeDefined();
      }
      expectRefusal(await send(running, 'mutation { adopt }'));
      expectRefusal(await send(running, 'mutation { search adopt }'));
      expectRefusal(await get(running, 'mutation { adopt }'));
      expect(reached.resolvers).toEqual(['cats', 'search', 'report']);
    });

    it('that was planned closes by the clock', async () => {
      const began = new Promise<void>((resolve) => {
        const changes = running.maintenance.changes.subscribe(({ active }) => {
          if (!active) return;
          changes.unsubscribe();
          resolve();
        });
      });
      await running.maintenance.enable({ startsAt: new Date(Date.now() + 300) });
      expect(dataOf(await send(running, '{ cats }'))).toEqual({ cats: 'cats' });
      await began;
      expectRefusal(await send(running, '{ cats }'));
    });
  });
});

@Injectable()
class TokenGuard implements CanActivate {
  canActivate(context: ExecutionContext): boolean {
    const { req } = GqlExecutionContext.create(context).getContext<{
      req: { headers: Record<string, string>; user?: object };
    }>();
    if (req.headers['x-role']) req.user = { role: req.headers['x-role'] };
    return true;
  }
}

const BY_GUARD = { 'x-role': 'staff' };
const BY_CONTEXT = { 'x-context-role': 'staff' };
const userInContext = (request: { req?: { headers: Record<string, string> }; headers: Record<string, string> }) => {
  const role = (request.req ?? request).headers['x-context-role'];
  return role ? { user: { roles: [role] } } : {};
};

describe.each(ADAPTERS)('GraphQL on %s, exemptions that only the guard can decide', (adapter) => {
  const logged: unknown[] = [];
  let running: Running;
  const started = async (options: object): Promise<Running> => {
    const note = (...words: unknown[]): void => void logged.push(words);
    running = await start(adapter, {
      imports: [graphqlModule({ context: userInContext })],
      providers: [...EVERYTHING, { provide: APP_GUARD, useClass: TokenGuard }],
      options,
      create: { logger: { log: () => undefined, warn: note, error: note, fatal: note } },
    });
    await running.maintenance.enable();
    return running;
  };
  beforeEach(() => {
    forget();
    logged.length = 0;
  });
  afterEach(() => running.close());

  it.each([
    ['which a guard found', BY_GUARD],
    ['in the context', BY_CONTEXT],
  ])('admit roles of the user %s', async (_name, headers: Record<string, string>) => {
    await started({ exempt: { roles: ['staff'] } });
    const reply = await send(running, '{ cats }', headers);
    expect(dataOf(reply)).toEqual({ cats: 'cats' });
    expect(reply.headers['cache-control']).toBe('private, no-store');
    expect(dataOf(await send(running, 'mutation { adopt }', headers))).toEqual({ adopt: 'adopt' });

    const refused = { ...headers, [Object.keys(headers)[0]!]: 'guest' };
    for (const query of ['{ cats }', 'mutation { adopt }', '{ __typename }', '{ __schema { description } }']) {
      expectRefusal(await send(running, query, refused));
    }
    expect(reached.resolvers).toEqual(['cats', 'adopt']);
    expect(logged).toEqual([]);
  });

  it('admit introspection to the user in the context', async () => {
    await started({ exempt: { roles: ['staff'] } });
    expect(dataOf(await send(running, '{ __typename }', BY_CONTEXT))).toEqual({ __typename: 'Query' });
  });

  it('admit by a condition of the application', async () => {
    const when = (context: ExecutionContext): boolean =>
      GqlExecutionContext.create(context).getInfo<{ fieldName: string }>().fieldName === 'cats';
    await started({ exempt: { when } });
    expect(dataOf(await send(running, '{ cats }'))).toEqual({ cats: 'cats' });
    for (const query of ['{ invoices }', 'mutation { adopt }', '{ __typename }'])
      expectRefusal(await send(running, query));
    expect(reached.resolvers).toEqual(['cats']);
    expect(logged).toEqual([]);
  });

  it('refuse where the condition throws', async () => {
    await started({
      exempt: {
        when: () => {
          throw new Error('no idea');
        },
      },
    });
    expectRefusal(await send(running, '{ cats }'));
  });
});

@Module({ providers: [CatsResolver] })
class CatsModule {}

@Resolver()
class OtherResolver {
  @SkipMaintenance()
  @Query(() => String)
  cats(): string {
    return 'other cats';
  }
}

@Module({ providers: [OtherResolver] })
class OtherModule {}

@Resolver()
class NamingResolver {
  @Query(() => String)
  unnamed(): string {
    return 'unnamed';
  }

  @UseGuards(MaintenanceGuard)
  @Query(() => String)
  named(): string {
    return 'named';
  }
}

describe.each(ADAPTERS)('GraphQL on %s', (adapter) => {
  let running: Running;
  afterEach(() => running.close());

  it('has endpoints with resolvers of their own, wherever they are', async () => {
    running = await start(adapter, {
      imports: [
        CatsModule,
        OtherModule,
        graphqlModule({ include: [CatsModule], path: 'one', useGlobalPrefix: true }),
        GraphQLModule.forRootAsync<ApolloDriverConfig>({
          driver: ApolloDriver,
          useFactory: () => settings({ include: [OtherModule], path: '/two' }),
        }),
      ],
      main: (app) => void app.setGlobalPrefix('api'),
    });
    expect(dataOf(await send(running, '{ cats }', {}, '/api/one'))).toEqual({ cats: 'cats' });
    await running.maintenance.enable();
    forget();
    expectRefusal(await send(running, '{ cats }', {}, '/api/one'));
    expect(dataOf(await send(running, '{ cats }', {}, '/two'))).toEqual({ cats: 'other cats' });
    expectRefusal(await send(running, '{ __typename }', {}, '/two'));
    expect(reached.contexts).toBe(1);
    const elsewhere = await send(running, '{ cats }', {}, '/one');
    expect(elsewhere).toMatchObject({ status: 503, headers: { 'content-type': 'application/problem+json' } });
  });

  it('is closed by the guard alone where the edge is not mounted', async () => {
    running = await start(adapter, {
      imports: [graphqlModule()],
      providers: EVERYTHING,
      extras: { mount: { edge: false } },
    });
    await running.maintenance.enable();
    forget();
    expectRefusal(await send(running, '{ cats }'));
    expect(reached).toMatchObject({ contexts: 1, resolvers: [] });
    expect(dataOf(await send(running, '{ status }'))).toEqual({ status: 'status' });
  });

  it('is closed where resolvers name the guard', async () => {
    running = await start(adapter, {
      imports: [graphqlModule()],
      providers: [NamingResolver],
      extras: { mount: { guard: false } },
    });
    await running.maintenance.enable();
    expect(dataOf(await send(running, '{ unnamed }'))).toEqual({ unnamed: 'unnamed' });
    expectRefusal(await send(running, '{ named }'));
  });

  it('has the status of the options', async () => {
    running = await start(adapter, {
      imports: [graphqlModule()],
      providers: EVERYTHING,
      options: { response: { statusCode: 521, retryAfter: 0 } },
    });
    await running.maintenance.enable();
    for (const query of ['{ cats }', '{ __typename }']) {
      const reply = await send(running, query);
      expect([reply.status, reply.headers['retry-after']]).toEqual([521, undefined]);
      expect(reply.json()).toMatchObject({ errors: [{ extensions: { retryAfter: null } }] });
    }
  });
});

/** Short, and another one for each number: what is sent has to fit into a body. */
function letters(index: number): string {
  return `a${index.toString(36)}`;
}

describe.each(ADAPTERS)('GraphQL on %s, past its own language', (adapter) => {
  let running: Running;
  afterEach(() => running.close());

  const started = async (options: object = {}, module: object = {}): Promise<void> => {
    running = await start(adapter, { imports: [graphqlModule(module)], providers: EVERYTHING, options });
  };

  it.each([{}, { graphiql: true, playground: undefined }, { playground: true }])(
    'shows a person at a browser the page, and no explorer: %j',
    async (module) => {
      await started({}, { playground: undefined, ...module });
      await running.maintenance.enable();
      for (const query of ['', '?query={cats}', '?query=1', '?extensions={}']) {
        const reply = await running.call(`/graphql${query}`, { headers: { accept: 'text/html,*/*;q=0.8' } });
        expect([query, reply.status, reply.headers['content-type']]).toEqual([query, 503, 'text/html; charset=utf-8']);
        expect(reply.text).toContain('Down for maintenance');
      }
    },
  );

  it('answers an operation with very many fields', async () => {
    const user = (request: { headers: Record<string, string> }): object => ({ role: request.headers['x-role'] });
    await started({ exempt: { roles: ['staff'], user } });
    await running.maintenance.enable();
    const query = `{ ${Array.from({ length: 9_500 }, (_, index) => `${letters(index)}:cats`).join(' ')} }`;
    expect((await send(running, query)).status).toBe(503);
    expect((await send(running, query, { 'x-role': 'staff' })).status).toBe(200);
  }, 60_000);

  it('is as open and as closed under every spelling that leads there', async () => {
    await started();
    const spelt = ['/graphql', '/graphql/', '/GRAPHQL', '/graphql/x'];
    const statuses = async (sent: string): Promise<number[]> =>
      Promise.all(spelt.map(async (path) => (await send(running, sent, {}, path)).status));
    const whileOff = await statuses('{ cats }');
    expect(whileOff).toEqual(adapter === 'express' ? [200, 200, 200, 200] : [200, 404, 404, 404]);
    await running.maintenance.enable({ mode: 'read-only' });
    // What leads nowhere is closed as a POST to an unknown URL.
    expect(await statuses('{ cats }')).toEqual(whileOff.map((status) => (status === 404 ? 503 : status)));
    expect(await statuses('mutation { adopt }')).toEqual([503, 503, 503, 503]);
    await running.maintenance.enable();
    expect(await statuses('{ cats }')).toEqual([503, 503, 503, 503]);
  });
});
