import {
  ClientProxyFactory,
  Transport,
  type ClientOptions,
  type ClientProxy,
  type MicroserviceOptions,
} from '@nestjs/microservices';
import type { ExecutionContext } from '@nestjs/common';
import { ApplicationConfig } from '@nestjs/core';
import { Clock, type EnableOptions, type MaintenanceStatus, type Refusal } from 'nestjs-maintenance';
import { filter, firstValueFrom, lastValueFrom, timeout, type Observable } from 'rxjs';
import { findRedisServer, RedisServer } from '../storage/redis-server.js';
import { freePort } from '../tools/programs.js';
import {
  eventually,
  KINDS,
  PROTO,
  startRpc,
  tcp,
  type Kind,
  type RpcRunning,
  type RpcSetup,
} from './rpc-application.js';
import { REFUSED } from './refused-call.js';
import { GrpcClient } from './rpc-grpc-client.js';
import {
  GrpcHandlers,
  GuardedHandlers,
  open,
  OpenHandlers,
  ScopedHandlers,
  ShopHandlers,
  slow,
  SlowHandlers,
  SoldHandlers,
} from './rpc-handlers.js';

const ITEM = { name: 'teapot' };
const PAY = { cmd: 'pay' };
const FORCED = { ...REFUSED, startsAt: null };
const controllers = [ShopHandlers, OpenHandlers, ScopedHandlers];

// Where nothing may be skipped, a missing server is a failure.
const hasRedis = findRedisServer() !== undefined || process.env.CI === 'true';
let redis: RedisServer | undefined;
beforeAll(async () => {
  if (hasRedis) redis = await RedisServer.start();
});
afterAll(() => redis?.stop());

/** The server and its client have the same options. */
type Wire = () => Promise<MicroserviceOptions & { transport: Transport.TCP | Transport.REDIS }>;
const WIRES: [string, Wire][] = [['TCP', tcp]];
if (hasRedis) {
  WIRES.push([
    'Redis',
    async () => ({ transport: Transport.REDIS, options: { host: '127.0.0.1', port: redis!.port } }),
  ]);
}
const LANES = WIRES.flatMap(([name, wire]) => KINDS.map((kind) => [name, kind, wire] as [string, Kind, Wire]));

interface Connected extends RpcRunning {
  /** Sends a message and waits for the answer. */
  ask: (pattern: string | object) => Promise<unknown>;
  emit: (pattern: string) => Promise<unknown>;
  /** Sends a message, and gives all that is answered. */
  stream: (pattern: string) => Observable<unknown>;
}

async function connected(kind: Kind, wire: Wire, setup: Partial<RpcSetup> = {}): Promise<Connected> {
  const server = await wire();
  const running = await startRpc(kind, server, { controllers, ...setup });
  const client: ClientProxy = ClientProxyFactory.create(server as ClientOptions);
  await client.connect();
  return {
    ...running,
    ask: (pattern) => firstValueFrom(client.send<unknown>(pattern, ITEM).pipe(timeout(5_000))),
    emit: (pattern) => lastValueFrom(client.emit<unknown>(pattern, ITEM), { defaultValue: undefined }),
    stream: (pattern) => client.send<unknown>(pattern, ITEM),
    close: async () => {
      await client.close();
      await running.close();
    },
  };
}

/** Resolves when the status is so, as the application is told of it. */
async function until(running: RpcRunning, isSo: (status: MaintenanceStatus) => boolean): Promise<void> {
  const { changes } = running.maintenance;
  if (!isSo(running.maintenance.status())) await firstValueFrom(changes.pipe(filter(isSo), timeout(5_000)));
}

async function during<T>(running: RpcRunning, window: EnableOptions, work: () => Promise<T>): Promise<T> {
  await running.maintenance.enable(window);
  try {
    return await work();
  } finally {
    await running.maintenance.disable({ all: true });
  }
}

describe.each(LANES)('over %s, %s', (_name, kind, wire) => {
  let running: Connected;
  beforeAll(async () => (running = await connected(kind, wire)));
  afterAll(() => running.close());

  const ROWS: { name: string; window: EnableOptions; pattern: string | object; answer: 'served' | object }[] = [
    { name: 'a full window', window: {}, pattern: 'buy', answer: REFUSED },
    { name: 'a handler that is made for each request', window: {}, pattern: 'scoped', answer: REFUSED },
    {
      name: 'a window with words and an end',
      window: { message: 'Back at four', endsAt: new Date(Date.now() + 86_400_000), retryAfter: 60 },
      pattern: 'buy',
      answer: { message: 'Back at four', retryAfter: 60, endsAt: expect.stringMatching(/Z$/) },
    },
    { name: '@SkipMaintenance() on a handler', window: {}, pattern: 'ping', answer: 'served' },
    { name: '@SkipMaintenance() on a controller', window: {}, pattern: 'open', answer: 'served' },
    { name: '@SkipMaintenance(false) in an open controller', window: {}, pattern: 'open.undone', answer: REFUSED },
    { name: '@ForceMaintenance()', window: { scope: 'elsewhere' }, pattern: 'fax', answer: FORCED },
    { name: 'another scope', window: { scope: 'payments' }, pattern: 'buy', answer: 'served' },
    { name: 'the scope', window: { scope: 'payments' }, pattern: PAY, answer: { ...REFUSED, scope: 'payments' } },
    {
      name: 'a read-only window',
      window: { mode: 'read-only' },
      pattern: 'buy',
      answer: { ...REFUSED, mode: 'read-only', message: expect.stringContaining('read-only') },
    },
    { name: 'reading in a read-only window', window: { mode: 'read-only' }, pattern: 'look', answer: 'served' },
    { name: 'reading in a full window', window: {}, pattern: 'look', answer: REFUSED },
  ];
  it.each(ROWS)('$name', async ({ window, pattern, answer }) => {
    const attempt = during(running, window, () => running.ask(pattern));
    if (answer === 'served') expect(await attempt).toMatchObject({ name: expect.stringContaining('teapot') });
    else await expect(attempt).rejects.toMatchObject(answer);
  });

  it('tells a caller all that is known, and nothing else', async () => {
    await expect(during(running, {}, () => running.ask('buy'))).rejects.toStrictEqual(REFUSED);
  });

  it('serves again on the same connection', async () => {
    await expect(during(running, {}, () => running.ask('buy'))).rejects.toBeDefined();
    expect(await running.ask('buy')).toEqual({ name: 'bought teapot' });
  });

  it('goes by the clock of a planned window', async () => {
    const startsAt = Date.now() + 300;
    await running.maintenance.enable({ startsAt: new Date(startsAt), endsAt: new Date(startsAt + 700) });
    expect(await running.ask('buy')).toEqual({ name: 'bought teapot' });
    await until(running, ({ active }) => active);
    await expect(running.ask('buy')).rejects.toMatchObject({ code: 'SERVICE_UNAVAILABLE', retryAfter: 1 });
    await until(running, ({ active }) => !active);
    expect(await running.ask('buy')).toEqual({ name: 'bought teapot' });
  });

  it('ends what a handler sends on and on, and lets go of it', async () => {
    running.complaints.length = 0;
    const heard = { closed: 0, open: 0 };
    const failed = jest.fn();
    const closed = running.stream('tick').subscribe({ next: () => heard.closed++, error: failed });
    const exempt = running.stream('tick.open').subscribe(() => heard.open++);
    await eventually(() => expect([heard.closed > 2, heard.open > 2, open.streams]).toEqual([true, true, 2]));
    await during(running, {}, async () => {
      await eventually(() => expect(failed).toHaveBeenCalledWith(REFUSED));
      await eventually(() => expect(open.streams).toBe(1));
      const before = heard.open;
      await eventually(() => expect(heard.open).toBeGreaterThan(before + 2));
    });
    closed.unsubscribe();
    exempt.unsubscribe();
    // What a client of TCP no longer hears goes on all the same.
    await eventually(() => expect(open.streams).toBe(0));
    expect(running.complaints).toEqual([]);
  });

  it('runs no handler of a refused event, and logs nothing of it', async () => {
    running.journal.length = running.complaints.length = 0;
    await during(running, {}, async () => {
      for (const event of ['sold', 'sold', 'audited']) await running.emit(event);
      // The last one shows that those before it have arrived.
      await eventually(() => expect(running.journal).toContain('audited teapot'));
    });
    await running.emit('sold');
    await eventually(() => expect(running.journal).toEqual(['audited teapot', 'sold teapot']));
    expect(running.complaints).toEqual([]);
  });
});

describe.each(KINDS)('over gRPC, %s', (kind) => {
  const UNAVAILABLE = {
    code: 14,
    details: 'The service is down for maintenance. Please try again later.',
    retryAfter: '3600',
  };
  let running: RpcRunning;
  let client: GrpcClient;
  beforeAll(async () => {
    const url = `127.0.0.1:${await freePort()}`;
    running = await startRpc(
      kind,
      { transport: Transport.GRPC, options: { package: 'shop', protoPath: PROTO, url } },
      { controllers: [GrpcHandlers] },
    );
    client = new GrpcClient(url);
  });
  afterAll(async () => {
    client.close();
    await running.close();
  });

  it.each([
    ['Buy', ['bought teapot']],
    ['Watch', ['teapot', 'teapot']],
    ['Chat', ['teapot', 'teapot']],
    ['Collect', ['teapot']],
    ['Pour', ['teapot']],
    ['Fill', ['teapot']],
  ])('%s', async (method, items) => {
    expect(await during(running, {}, () => client.call(method))).toEqual(UNAVAILABLE);
    // On the same connection.
    expect(await client.call(method)).toEqual({ items });
    expect(running.complaints).toEqual([]);
  });

  it('ends what a handler sends on and on', async () => {
    const outcome = client.call('Watch', 'endless');
    await eventually(() => expect(open.streams).toBeGreaterThan(0));
    await during(running, {}, async () => expect(await outcome).toEqual(UNAVAILABLE));
    await eventually(() => expect(open.streams).toBe(0));
    expect(running.complaints).toEqual([]);
  });

  it('admits what @SkipMaintenance() admits', async () => {
    expect(await during(running, {}, () => client.call('Open'))).toEqual({ items: ['teapot'] });
  });

  it('tells what is left of a window, in its words', async () => {
    const window = { message: 'Back at four', endsAt: new Date(Date.now() + 100_000) };
    expect(await during(running, window, () => client.call('Buy'))).toEqual({
      code: 14,
      details: 'Back at four',
      retryAfter: expect.stringMatching(/^(100|9\d)$/),
    });
  });

  it('says nothing of a time that nobody knows', async () => {
    expect(await during(running, { retryAfter: 0 }, () => client.call('Buy'))).toMatchObject({ retryAfter: undefined });
  });
});

/** The applications of one test, closed even where it fails. */
const opened: RpcRunning[] = [];
async function own<T extends RpcRunning>(starting: Promise<T>): Promise<T> {
  const running = await starting;
  opened.push(running);
  return running;
}
afterEach(async () => {
  for (const running of opened.splice(0)) await running.close();
});

describe('exemptions', () => {
  it.each(KINDS)('asks `exempt.when`, %s', async (kind) => {
    const types = new Set<string>();
    const when = (context: ExecutionContext): boolean => {
      types.add(context.getType());
      return context.getHandler().name === 'buy';
    };
    const running = await own(connected(kind, tcp, { options: { exempt: { when, roles: ['staff'] } } }));
    await during(running, {}, async () => {
      expect(await running.ask('buy')).toEqual({ name: 'bought teapot' });
      await expect(running.ask('look')).rejects.toEqual(REFUSED);
    });
    expect([...types]).toEqual(['rpc']);
  });

  it('refuses nothing in tests with `exempt.tests`', async () => {
    const running = await own(connected('stand-alone', tcp, { options: { exempt: { tests: true } } }));
    expect(await during(running, {}, () => running.ask('buy'))).toEqual({ name: 'bought teapot' });
  });

  it.each(KINDS)('leaves handlers that do not name the guard alone with `mount.guard` false, %s', async (kind) => {
    const running = await own(
      connected(kind, tcp, {
        controllers: [GuardedHandlers],
        extras: { mount: { guard: false } },
      }),
    );
    await during(running, {}, async () => {
      expect(await running.ask('unguarded')).toEqual(ITEM);
      await expect(running.ask('guarded')).rejects.toEqual(REFUSED);
    });
    expect(running.complaints).toEqual([]);
  });
});

describe('what is said at boot', () => {
  const LOST = /Events that reach ServerTCP during maintenance are lost\..*`microservices\.events`/;
  const drop = { microservices: { events: 'drop' } } as const;
  const silent: [string, Kind, Partial<RpcSetup>][] = [
    ['nothing of a stand-alone one', 'stand-alone', { options: drop }],
    ['nothing with inheritAppConfig', 'express', { options: drop }],
    ['nothing with inheritAppConfig after listen()', 'fastify', { options: drop, isLate: true }],
    ['nothing without inheritAppConfig', 'express without inheritAppConfig', { options: drop }],
    ['nothing where no event could be lost', 'express', { controllers: [OpenHandlers] }],
    ['nothing where only request-scoped handlers are', 'express', { controllers: [ScopedHandlers] }],
  ];
  const loud: [string, Kind, Partial<RpcSetup>, RegExp][] = [
    ['a warning of events that would be lost', 'stand-alone', {}, LOST],
    ['the same of a hybrid application', 'express', {}, LOST],
    ['the same without inheritAppConfig', 'fastify without inheritAppConfig', {}, LOST],
  ];
  it.each(silent)('%s', async (_name, kind, setup) => {
    const running = await own(startRpc(kind, await tcp(), { controllers, ...setup }));
    expect(running.complaints).toEqual([]);
  });
  it.each(loud)('%s', async (_name, kind, setup, message) => {
    const running = await own(startRpc(kind, await tcp(), { controllers, ...setup }));
    expect(running.complaints).toEqual([expect.stringMatching(message)]);
  });

  it('stops at an option that can not be used', async () => {
    const options = { microservices: { events: 'keep' as never } };
    await expect(startRpc('stand-alone', await tcp(), { controllers, options })).rejects.toThrow(
      'nestjs-maintenance: the option `microservices.events` must be "redeliver", "drop" or a function, not "keep".',
    );
  });
});

describe('events', () => {
  // A filter that is registered by then must not turn a refusal into a rejection that nobody handles.
  it.each(KINDS.filter((kind) => kind !== 'stand-alone'))(
    'are refused where the microservice came after listen(), %s',
    async (kind) => {
      const running = await own(connected(kind, tcp, { isLate: true, options: { microservices: { events: 'drop' } } }));
      await during(running, {}, async () => {
        await running.emit('sold');
        await expect(running.ask('buy')).rejects.toEqual(REFUSED);
      });
      await running.emit('sold');
      await eventually(() => expect(running.journal).toEqual(['sold teapot']));
      expect(running.complaints).toEqual([]);
    },
  );

  it.each(KINDS)('are given to a function of the application, %s', async (kind) => {
    const refused: string[] = [];
    const events = (context: ExecutionContext, { window }: Refusal): void =>
      void refused.push(`${context.getHandler().name} ${context.switchToRpc().getData().name} ${window?.message}`);
    const running = await own(connected(kind, tcp, { options: { microservices: { events } } }));
    await during(running, { message: 'Moving' }, async () => {
      await running.emit('sold');
      await eventually(() => expect(refused).toEqual(['sold teapot Moving']));
    });
    expect(running.journal).toEqual([]);
    expect(running.complaints).toEqual([]);
  });

  it.each<[string, () => Promise<void>]>([
    ['throws', () => Promise.reject(new Error('the table\nis locked'))],
    ['never settles', () => new Promise<void>(() => undefined)],
  ])('make one line in the log where the function of the application %s', async (_, fail) => {
    let calls = 0;
    const events = (): Promise<void> => {
      calls++;
      return fail();
    };
    const running = await own(connected('stand-alone', tcp, { options: { microservices: { events } } }));
    const clock = running.app.get(Clock, { strict: false });
    const wake = clock.wake.bind(clock);
    // Five seconds are over sooner for a test.
    const spy = jest
      .spyOn(clock, 'wake')
      .mockImplementation((callback, delay) => wake(callback, delay === 5_000 ? 20 : delay));
    await during(running, {}, async () => {
      for (let count = 1; count <= 5; count++) {
        await running.emit('sold');
        await eventually(() => expect(calls).toBe(count));
      }
      await eventually(() => expect(running.complaints).toHaveLength(1));
      // The answer to a message comes after the events before it.
      await expect(running.ask('buy')).rejects.toEqual(REFUSED);
      spy.mockRestore();
    });
    expect(running.journal).toEqual([]);
    expect(running.complaints).toEqual([
      expect.stringMatching(/^`microservices\.events` failed.*(the table\\nis locked|no answer within 5 s)/),
    ]);
  });

  it('take the option from the environment', async () => {
    process.env.MAINTENANCE_MICROSERVICES_EVENTS = 'drop';
    try {
      const running = await own(startRpc('stand-alone', await tcp(), { controllers }));
      expect(running.complaints).toEqual([]);
      process.env.MAINTENANCE_MICROSERVICES_EVENTS = 'keep';
      await expect(startRpc('stand-alone', await tcp(), { controllers })).rejects.toThrow(
        /environment variable MAINTENANCE_MICROSERVICES_EVENTS must be "redeliver", "drop" or a function, not "keep"/,
      );
    } finally {
      delete process.env.MAINTENANCE_MICROSERVICES_EVENTS;
    }
  });
});

describe.each(KINDS)('a server, %s,', (kind) => {
  it('refuses where all of its handlers are made for each request', async () => {
    const running = await own(connected(kind, tcp, { controllers: [ScopedHandlers] }));
    await expect(during(running, {}, () => running.ask('scoped'))).rejects.toEqual(REFUSED);
    expect(await running.ask('scoped')).toEqual(ITEM);
  });

  it('runs the other handlers of an event that one of them refuses', async () => {
    const running = await own(
      connected(kind, tcp, {
        controllers: [ShopHandlers, SoldHandlers],
        options: { microservices: { events: 'drop' } },
      }),
    );
    await during(running, {}, async () => {
      await running.emit('sold');
      await eventually(() => expect(running.journal).toEqual(['booked teapot']));
    });
    await running.emit('sold');
    await eventually(() =>
      expect([...running.journal].sort()).toEqual(['booked teapot', 'booked teapot', 'sold teapot']),
    );
    expect(running.complaints).toEqual([]);
  });

  it('is drained once a message that it admitted before is answered, and admits no other', async () => {
    const running = await own(connected(kind, tcp, { controllers: [SlowHandlers] }));
    const { promise, answer } = slow();
    const asked = running.ask('slow');
    await promise;
    await running.maintenance.enable();
    const before = await running.maintenance.drained({ timeout: 0 });
    expect(before).toMatchObject({ drained: false, pending: [{ reason: 'in-flight' }] });
    await expect(running.ask('slow')).rejects.toEqual(REFUSED);
    answer();
    expect(await asked).toEqual(ITEM);
    expect(await running.maintenance.drained()).toMatchObject({ drained: true });
  });
});

it.each(['express', 'fastify'] as const)('refuses where the microservice is initialized late, %s', async (kind) => {
  const running = await own(
    connected(`${kind} without inheritAppConfig`, tcp, {
      deferInitialization: true,
      controllers: [OpenHandlers, ShopHandlers],
    }),
  );
  await expect(during(running, {}, () => running.ask('open.undone'))).rejects.toEqual(REFUSED);
  await expect(during(running, {}, () => running.ask('buy'))).rejects.toEqual(REFUSED);
});

it.each(KINDS)('leaves nothing behind, %s', async (kind) => {
  const running = await connected(kind, tcp);
  const config = running.app.get(ApplicationConfig);
  expect(Object.hasOwn(config, 'getGlobalGuards')).toBe(true);
  await during(running, {}, () => running.ask('buy').catch(() => undefined));
  await running.close();
  expect(Object.hasOwn(config, 'getGlobalGuards')).toBe(false);
});
