import { Agent, request as httpRequest } from 'node:http';
import { Injectable, Module, UseGuards, type CanActivate, type ExecutionContext } from '@nestjs/common';
import { ApolloDriver, type ApolloDriverConfig } from '@nestjs/apollo';
import { APP_GUARD } from '@nestjs/core';
import { GqlExecutionContext, GraphQLModule, Query, Resolver } from '@nestjs/graphql';
import { ClientError, GraphQLClient } from 'graphql-request';
import { MaintenanceGuard, SkipMaintenance } from 'nestjs-maintenance';
import { ManualClock } from 'nestjs-maintenance/testing';
import { ADAPTERS, start, type Running } from './application.js';
import type { Reply } from './client.js';
import {
  CatsResolver,
  resetReached,
  createGraphqlModule,
  MixedResolver,
  ScopedResolver,
  reached,
  SessionsModule,
  createSettings,
  StatusResolver,
} from './graphql/cats.js';

const ALL_RESOLVERS = [CatsResolver, MixedResolver, StatusResolver, ScopedResolver];
const RESOLVERS_WITHOUT_EXEMPTIONS = [CatsResolver];
const JSON_TYPE = 'application/json; charset=utf-8';

type Sent = string | object;

/** Sends an operation by POST without a GraphQL library. */
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
  expect(reply.headers['maintenance-mode']).toMatch(/^(full|read-only);scope="/);
  expect(reply.headers['cache-control']).toBe('no-store');
  expect(reply.headers['content-type']).toBe(type);
  const { errors } = reply.json<{ errors: { message: string; extensions: object }[] }>();
  expect(errors[0]!.message).toMatch(/maintenance/);
  expect(errors[0]!.extensions).toMatchObject({ code: 'SERVICE_UNAVAILABLE', errorCode: 'MAINTENANCE', retryAfter });
}

function getData(reply: Reply): unknown {
  expect([reply.status, reply.text]).toEqual([200, expect.stringContaining('"data"')]);
  return reply.json().data;
}

const BATCH = [{ query: '{ cats }' }, { query: '{ __typename }' }];
const UNKNOWN_HASH = { extensions: { persistedQuery: { version: 1, sha256Hash: 'a'.repeat(64) } } };

const REFUSED_OPERATIONS: { name: string; ask: (running: Running) => Promise<Reply>; type?: string }[] = [
  { name: 'a query', ask: (running) => send(running, '{ cats }') },
  { name: 'a mutation', ask: (running) => send(running, 'mutation { adopt }') },
  {
    name: 'an alias and a fragment',
    ask: (running) => send(running, '{ a: __typename ...f } fragment f on Query { b: cats }'),
  },
  { name: '{ __typename }', ask: (running) => send(running, '{ __typename }') },
  { name: 'introspection', ask: (running) => send(running, '{ __schema { types { name } } }') },
  { name: 'an unknown field', ask: (running) => send(running, '{ nothing }') },
  { name: 'a batch', ask: (running) => send(running, BATCH) },
  { name: 'a query by GET', ask: (running) => get(running, '{ cats }') },
  { name: 'a mutation by GET', ask: (running) => get(running, 'mutation { adopt }') },
  {
    name: 'a client of the newer media type',
    ask: (running) =>
      send(running, '{ cats }', { accept: 'application/graphql-response+json, application/json;q=0.9' }),
    type: 'application/graphql-response+json; charset=utf-8',
  },
  { name: 'a client that accepts anything', ask: (running) => send(running, '{ cats }', { accept: '*/*' }) },
];

const REFUSED_WITHOUT_EXEMPTIONS: typeof REFUSED_OPERATIONS = [
  ...REFUSED_OPERATIONS,
  { name: 'a syntax error', ask: (running) => send(running, '{ cats') },
  { name: 'a persisted query', ask: (running) => send(running, UNKNOWN_HASH) },
  { name: 'an empty body', ask: (running) => send(running, {}) },
  {
    name: 'a malformed body',
    ask: ({ call }) =>
      call('/graphql', { method: 'POST', headers: { 'content-type': 'application/json' }, body: '{"query":' }),
  },
  { name: 'a GET that CSRF prevention would block', ask: ({ call }) => call('/graphql?query=%7Bcats%7D') },
  { name: 'a trailing slash', ask: (running) => send(running, '{ cats }', {}, '/graphql/') },
];

describe.each(ADAPTERS)('GraphQL during windows (%s)', (adapter) => {
  describe('without exemptions', () => {
    let running: Running;
    beforeAll(async () => {
      running = await start(adapter, {
        imports: [SessionsModule, createGraphqlModule()],
        providers: RESOLVERS_WITHOUT_EXEMPTIONS,
      });
    });
    afterAll(() => running.close());
    beforeEach(resetReached);
    afterEach(() => running.maintenance.disable());

    it.each(REFUSED_WITHOUT_EXEMPTIONS)('refuses $name before middleware runs', async ({ ask, type }) => {
      await running.maintenance.enable({ message: 'Down for maintenance.' });
      expectRefusal(await ask(running), { type });
      expect(reached).toMatchObject({ sessions: 0, contexts: 0, resolvers: [] });
    });

    it('serves operations without extra headers while maintenance is off', async () => {
      const reply = await send(running, '{ cats __typename }');
      expect(getData(reply)).toEqual({ cats: 'cats', __typename: 'Query' });
      expect(reached).toMatchObject({ sessions: 1, contexts: 1 });
      expect(reply.headers['retry-after']).toBeUndefined();
    });

    it('returns an error with all members of the window', async () => {
      const endsAt = new Date(Date.now() + 90_000).toISOString();
      const { windows } = await running.maintenance.enable({ endsAt, message: 'Back soon' });
      const { errors } = (await send(running, '{ cats }')).json<{ errors: unknown[] }>();
      const { startsAt } = windows.active[0]!;
      const retryAfter = expect.any(Number);
      const codes = { code: 'SERVICE_UNAVAILABLE', errorCode: 'MAINTENANCE' };
      const extensions = { ...codes, retryAfter, startsAt, endsAt, scope: '*', mode: 'full' };
      expect(errors).toEqual([{ message: 'Back soon', extensions }]);
    });

    it('sends the page to browsers', async () => {
      await running.maintenance.enable();
      const reply = await running.call('/graphql', { headers: { accept: 'text/html,*/*;q=0.8' } });
      expect(reply).toMatchObject({ status: 503, headers: { 'content-type': 'text/html; charset=utf-8' } });
      expectRefusal(await running.call('/graphql', { headers: { accept: 'application/json' } }));
    });

    it('returns GraphQL errors only at the endpoint', async () => {
      await running.maintenance.enable();
      for (const path of ['//graphql', '/graphqls', '/%67raphql', '/cats']) {
        expect(await send(running, '{ cats }', {}, path)).toMatchObject({
          status: 503,
          headers: { 'content-type': 'application/problem+json' },
        });
      }
    });

    it('causes a ClientError in graphql-request', async () => {
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

    it('keeps the connection open for later requests', async () => {
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

    it('admits exempt IP addresses and paths with Cache-Control: private', async () => {
      for (const exempt of [{ ips: ['127.0.0.1'] }, { urls: ['/graphql'] }]) {
        const other = await start(adapter, {
          imports: [createGraphqlModule()],
          providers: RESOLVERS_WITHOUT_EXEMPTIONS,
          options: { exempt },
        });
        await other.maintenance.enable();
        for (const query of ['{ cats }', 'mutation { adopt }', '{ __typename }']) {
          const reply = await send(other, query);
          expect(getData(reply)).toBeDefined();
          expect(reply.headers['cache-control']).toBe('private, no-store');
        }
        await other.close();
      }
    });
  });

  describe('with exempt fields', () => {
    let running: Running;
    const logged: unknown[] = [];
    beforeAll(async () => {
      const record = (...args: unknown[]): void => void logged.push(args);
      running = await start(adapter, {
        imports: [createGraphqlModule({ fieldResolverEnhancers: ['guards'] })],
        providers: ALL_RESOLVERS,
        create: { logger: { log: () => undefined, warn: record, error: record, fatal: record } },
      });
    });
    afterAll(() => running.close());
    beforeEach(() => {
      resetReached();
      logged.length = 0;
    });
    afterEach(() => running.maintenance.disable());

    it.each([
      ...REFUSED_OPERATIONS,
      {
        name: 'an exempt field next to another one',
        ask: (on: Running) => send(on, '{ status cats }'),
        type: undefined,
      },
      {
        name: 'an exempt field next to introspection',
        ask: (on: Running) => send(on, '{ status __schema { description } }'),
      },
      { name: 'a field with @SkipMaintenance(false)', ask: (on: Running) => send(on, '{ undone }') },
      { name: 'a field of a request-scoped class', ask: (on: Running) => send(on, '{ scopedClosed }') },
      { name: 'a field with @ForceMaintenance()', ask: (on: Running) => send(on, '{ forced }') },
      { name: 'a query field in a mutation', ask: (on: Running) => send(on, 'mutation { status }') },
    ])('refuses $name before the context is created', async ({ ask, type }) => {
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
    ])('admits operations with @SkipMaintenance(): %s', async (_name, query, data) => {
      await running.maintenance.enable();
      const reply = await send(running, query);
      expect(getData(reply)).toEqual(data);
      expect(reply.headers['cache-control']).not.toBe('private, no-store');
    });

    it('decides on the operation named by operationName', async () => {
      await running.maintenance.enable();
      const query = 'query a { cats } query b { status }';
      expect(getData(await send(running, { query, operationName: 'b' }))).toEqual({ status: 'status' });
      expectRefusal(await send(running, { query, operationName: 'a' }));
    });

    it('decides on each operation of a batch and on registered persisted queries', async () => {
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
      resetReached();
      expect(getData(await send(running, persisted('{ status }')))).toEqual({ status: 'status' });
      expectRefusal(await send(running, persisted('{ cats }')));
      expect(reached.resolvers).toEqual(['status']);
    });

    it('leaves invalid operations to GraphQL', async () => {
      await running.maintenance.enable();
      expect(await send(running, '{ status')).toMatchObject({ status: 400 });
      expect(await send(running, { query: 'query a { status } query b { cats }' })).toMatchObject({ status: 400 });
    });

    it('sends the page instead of an explorer to browsers', async () => {
      await running.maintenance.enable();
      const reply = await running.call('/graphql', { headers: { accept: 'text/html' } });
      expect(reply).toMatchObject({ status: 503, headers: { 'content-type': 'text/html; charset=utf-8' } });
    });

    it('refuses @ForceMaintenance() fields while maintenance is off', async () => {
      expectRefusal(await send(running, '{ forced }'));
      expect(getData(await send(running, '{ cats }'))).toEqual({ cats: 'cats' });
    });

    it('refuses only the fields in the scope of a window', async () => {
      await running.maintenance.enable({ scope: 'billing' });
      expectRefusal(await send(running, '{ invoices }'));
      expectRefusal(await send(running, '{ cats invoices }'));
      expect(getData(await send(running, '{ cats }'))).toEqual({ cats: 'cats' });
      expect(getData(await send(running, '{ __typename }'))).toEqual({ __typename: 'Query' });
    });

    it('refuses mutations during a read-only window', async () => {
      await running.maintenance.enable({ mode: 'read-only' });
      for (const query of ['{ cats }', '{ __typename }', 'mutation { search }', 'mutation { report }']) {
        expect(getData(await send(running, query))).toBeDefined();
      }
      expectRefusal(await send(running, 'mutation { adopt }'));
      expectRefusal(await send(running, 'mutation { search adopt }'));
      expectRefusal(await get(running, 'mutation { adopt }'));
      expect(reached.resolvers).toEqual(['cats', 'search', 'report']);
    });

    it('refuses operations when a planned window starts', async () => {
      const clock = new ManualClock(Date.now());
      const planned = await start(adapter, { imports: [createGraphqlModule()], providers: ALL_RESOLVERS, clock });
      const startsAt = clock.now() + 60_000;
      await planned.maintenance.enable({ startsAt: new Date(startsAt) });
      expect(getData(await send(planned, '{ cats }'))).toEqual({ cats: 'cats' });
      await clock.moveTo(startsAt);
      expectRefusal(await send(planned, '{ cats }'));
      await planned.close();
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

describe.each(ADAPTERS)('GraphQL exemptions that depend on the guard (%s)', (adapter) => {
  const logged: unknown[] = [];
  let running: Running;
  const startActive = async (options: object): Promise<Running> => {
    const record = (...args: unknown[]): void => void logged.push(args);
    running = await start(adapter, {
      imports: [createGraphqlModule({ context: userInContext })],
      providers: [...ALL_RESOLVERS, { provide: APP_GUARD, useClass: TokenGuard }],
      options,
      create: { logger: { log: () => undefined, warn: record, error: record, fatal: record } },
    });
    await running.maintenance.enable();
    return running;
  };
  beforeEach(() => {
    resetReached();
    logged.length = 0;
  });
  afterEach(() => running.close());

  it.each([
    ['set by a guard', BY_GUARD],
    ['in the context', BY_CONTEXT],
  ])('admit the roles of a user %s', async (_name, headers: Record<string, string>) => {
    await startActive({ exempt: { roles: ['staff'] } });
    const reply = await send(running, '{ cats }', headers);
    expect(getData(reply)).toEqual({ cats: 'cats' });
    expect(reply.headers['cache-control']).toBe('private, no-store');
    expect(getData(await send(running, 'mutation { adopt }', headers))).toEqual({ adopt: 'adopt' });

    const refused = { ...headers, [Object.keys(headers)[0]!]: 'guest' };
    for (const query of ['{ cats }', 'mutation { adopt }', '{ __typename }', '{ __schema { description } }']) {
      expectRefusal(await send(running, query, refused));
    }
    expect(reached.resolvers).toEqual(['cats', 'adopt']);
    expect(logged).toEqual([]);
  });

  it('admit introspection for a user in the context', async () => {
    await startActive({ exempt: { roles: ['staff'] } });
    expect(getData(await send(running, '{ __typename }', BY_CONTEXT))).toEqual({ __typename: 'Query' });
  });

  it('admit fields for which exempt.when is true', async () => {
    const when = (context: ExecutionContext): boolean =>
      GqlExecutionContext.create(context).getInfo<{ fieldName: string }>().fieldName === 'cats';
    await startActive({ exempt: { when } });
    expect(getData(await send(running, '{ cats }'))).toEqual({ cats: 'cats' });
    for (const query of ['{ invoices }', 'mutation { adopt }', '{ __typename }'])
      expectRefusal(await send(running, query));
    expect(reached.resolvers).toEqual(['cats']);
    expect(logged).toEqual([]);
  });

  it('refuse the operation if exempt.when throws', async () => {
    await startActive({
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
class GuardedResolver {
  @Query(() => String)
  unguarded(): string {
    return 'unguarded';
  }

  @UseGuards(MaintenanceGuard)
  @Query(() => String)
  guarded(): string {
    return 'guarded';
  }
}

describe.each(ADAPTERS)('GraphQL configuration (%s)', (adapter) => {
  let running: Running;
  afterEach(() => running.close());

  it('supports several endpoints with their own resolvers', async () => {
    running = await start(adapter, {
      imports: [
        CatsModule,
        OtherModule,
        createGraphqlModule({ include: [CatsModule], path: 'one', useGlobalPrefix: true }),
        GraphQLModule.forRootAsync<ApolloDriverConfig>({
          driver: ApolloDriver,
          useFactory: () => createSettings({ include: [OtherModule], path: '/two' }),
        }),
      ],
      main: (app) => void app.setGlobalPrefix('api'),
    });
    expect(getData(await send(running, '{ cats }', {}, '/api/one'))).toEqual({ cats: 'cats' });
    await running.maintenance.enable();
    resetReached();
    expectRefusal(await send(running, '{ cats }', {}, '/api/one'));
    expect(getData(await send(running, '{ cats }', {}, '/two'))).toEqual({ cats: 'other cats' });
    expectRefusal(await send(running, '{ __typename }', {}, '/two'));
    expect(reached.contexts).toBe(1);
    const elsewhere = await send(running, '{ cats }', {}, '/one');
    expect(elsewhere).toMatchObject({ status: 503, headers: { 'content-type': 'application/problem+json' } });
  });

  it('refuses operations by the guard if mount.edge is false', async () => {
    running = await start(adapter, {
      imports: [createGraphqlModule()],
      providers: ALL_RESOLVERS,
      extras: { mount: { edge: false } },
    });
    await running.maintenance.enable();
    resetReached();
    expectRefusal(await send(running, '{ cats }'));
    expect(reached).toMatchObject({ contexts: 1, resolvers: [] });
    expect(getData(await send(running, '{ status }'))).toEqual({ status: 'status' });
  });

  it('refuses only guarded resolvers if mount.guard is false', async () => {
    running = await start(adapter, {
      imports: [createGraphqlModule()],
      providers: [GuardedResolver],
      extras: { mount: { guard: false } },
    });
    await running.maintenance.enable();
    expect(getData(await send(running, '{ unguarded }'))).toEqual({ unguarded: 'unguarded' });
    expectRefusal(await send(running, '{ guarded }'));
  });

  it('uses response.statusCode and response.retryAfter', async () => {
    running = await start(adapter, {
      imports: [createGraphqlModule()],
      providers: ALL_RESOLVERS,
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

describe.each(ADAPTERS)('GraphQL endpoint (%s)', (adapter) => {
  let running: Running;
  afterEach(() => running.close());

  const startWith = async (options: object = {}, module: object = {}): Promise<void> => {
    running = await start(adapter, { imports: [createGraphqlModule(module)], providers: ALL_RESOLVERS, options });
  };

  it.each([{}, { graphiql: true, playground: undefined }, { playground: true }])(
    'sends the page instead of an explorer to browsers: %j',
    async (module) => {
      await startWith({}, { playground: undefined, ...module });
      await running.maintenance.enable();
      for (const query of ['', '?query={cats}', '?query=1', '?extensions={}']) {
        const reply = await running.call(`/graphql${query}`, { headers: { accept: 'text/html,*/*;q=0.8' } });
        expect([query, reply.status, reply.headers['content-type']]).toEqual([query, 503, 'text/html; charset=utf-8']);
        expect(reply.text).toContain('Down for maintenance');
      }
    },
  );

  it('decides the same for every spelling of the path', async () => {
    await startWith();
    const spellings = ['/graphql', '/graphql/', '/GRAPHQL', '/graphql/x'];
    const statuses = async (sent: string): Promise<number[]> =>
      Promise.all(spellings.map(async (path) => (await send(running, sent, {}, path)).status));
    const whileOff = await statuses('{ cats }');
    expect(whileOff).toEqual(adapter === 'express' ? [200, 200, 200, 200] : [200, 404, 404, 404]);
    await running.maintenance.enable({ mode: 'read-only' });
    // Spellings that match no route are refused like a POST to an unknown URL.
    expect(await statuses('{ cats }')).toEqual(whileOff.map((status) => (status === 404 ? 503 : status)));
    expect(await statuses('mutation { adopt }')).toEqual([503, 503, 503, 503]);
    await running.maintenance.enable();
    expect(await statuses('{ cats }')).toEqual([503, 503, 503, 503]);
  });
});
