import {
  ClientProxyFactory,
  Transport,
  type ClientOptions,
  type ClientProxy,
  type MicroserviceOptions,
} from '@nestjs/microservices';
import type { ExecutionContext } from '@nestjs/common';
import { ApplicationConfig } from '@nestjs/core';
import type { EnableOptions, Refusal } from 'nestjs-maintenance';
import { ManualClock, MemoryStateStorage } from 'nestjs-maintenance/testing';
import { firstValueFrom, lastValueFrom, timeout, type Observable } from 'rxjs';
import getPort from 'get-port';
import { findRedisServer, RedisServer } from '../storage/redis-server.js';
import { TIMEOUT_MS } from '../tools/waiting.js';
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
import { shortenTimers } from './short-timers.js';
import { waitUntilDrainBlockedBy } from './blocking-handlers.js';
import { REFUSED } from './refusal-payload.js';
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
const FORCED_REFUSAL = { ...REFUSED, startsAt: null };
const controllers = [ShopHandlers, OpenHandlers, ScopedHandlers];

// In CI, a missing server is a failure instead of a skipped test.
const hasRedis = findRedisServer() !== undefined || process.env.CI === 'true';
let redis: RedisServer | undefined;
beforeAll(async () => {
  if (hasRedis) redis = await RedisServer.start();
});
afterAll(() => redis?.stop());

/** Creates the options that server and client share. */
type TransportFactory = () => Promise<MicroserviceOptions & { transport: Transport.TCP | Transport.REDIS }>;
const CLIENT_TRANSPORTS: [string, TransportFactory][] = [['TCP', tcp]];
if (hasRedis) {
  CLIENT_TRANSPORTS.push([
    'Redis',
    async () => ({ transport: Transport.REDIS, options: { host: '127.0.0.1', port: redis!.port } }),
  ]);
}
const TRANSPORT_KINDS = CLIENT_TRANSPORTS.flatMap(([name, createTransport]) =>
  KINDS.map((kind) => [name, kind, createTransport] as [string, Kind, TransportFactory]),
);

interface Connected extends RpcRunning {
  /** Sends a message and waits for the response. */
  ask: (pattern: string | object) => Promise<unknown>;
  emit: (pattern: string) => Promise<unknown>;
  /** Sends a message and returns all responses. */
  stream: (pattern: string) => Observable<unknown>;
}

async function startConnected(
  kind: Kind,
  createTransport: TransportFactory,
  setup: Partial<RpcSetup> = {},
): Promise<Connected> {
  const server = await createTransport();
  const running = await startRpc(kind, server, { controllers, ...setup });
  const client: ClientProxy = ClientProxyFactory.create(server as ClientOptions);
  await client.connect();
  return {
    ...running,
    ask: (pattern) => firstValueFrom(client.send<unknown>(pattern, ITEM).pipe(timeout(TIMEOUT_MS))),
    emit: (pattern) => lastValueFrom(client.emit<unknown>(pattern, ITEM), { defaultValue: undefined }),
    stream: (pattern) => client.send<unknown>(pattern, ITEM),
    close: async () => {
      await client.close();
      await running.close();
    },
  };
}

async function during<T>(running: RpcRunning, window: EnableOptions, work: () => Promise<T>): Promise<T> {
  await running.maintenance.enable(window);
  try {
    return await work();
  } finally {
    await running.maintenance.disable({ all: true });
  }
}

describe.each(TRANSPORT_KINDS)('messages over %s (%s)', (_name, kind, createTransport) => {
  let running: Connected;
  beforeAll(async () => (running = await startConnected(kind, createTransport)));
  afterAll(() => running.close());

  const ROWS: { name: string; window: EnableOptions; pattern: string | object; answer: 'served' | object }[] = [
    { name: 'a full window', window: {}, pattern: 'buy', answer: REFUSED },
    { name: 'a request-scoped handler', window: {}, pattern: 'scoped', answer: REFUSED },
    {
      name: 'a window with a message and an end',
      window: { message: 'Back at four', endsAt: new Date(Date.now() + 86_400_000), retryAfter: 60 },
      pattern: 'buy',
      answer: { message: 'Back at four', retryAfter: 60, endsAt: expect.stringMatching(/Z$/) },
    },
    { name: '@SkipMaintenance() on a handler', window: {}, pattern: 'ping', answer: 'served' },
    { name: '@SkipMaintenance() on a controller', window: {}, pattern: 'open', answer: 'served' },
    { name: '@SkipMaintenance(false) in an open controller', window: {}, pattern: 'open.undone', answer: REFUSED },
    { name: '@ForceMaintenance()', window: { scope: 'elsewhere' }, pattern: 'fax', answer: FORCED_REFUSAL },
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
  const CASES = ROWS.map((row) => ({ ...row, result: row.answer === 'served' ? 'served' : 'refused' }));
  it.each(CASES)('are $result: $name', async ({ window, pattern, answer }) => {
    const attempt = during(running, window, () => running.ask(pattern));
    if (answer === 'served') expect(await attempt).toMatchObject({ name: expect.stringContaining('teapot') });
    else await expect(attempt).rejects.toMatchObject(answer);
  });

  it('are refused with all members of the window and nothing else', async () => {
    await expect(during(running, {}, () => running.ask('buy'))).rejects.toStrictEqual(REFUSED);
  });

  it('are served again on the same connection', async () => {
    await expect(during(running, {}, () => running.ask('buy'))).rejects.toBeDefined();
    expect(await running.ask('buy')).toEqual({ name: 'bought teapot' });
  });

  it('follow start and end of a planned window', async () => {
    const clock = new ManualClock(Date.now());
    const planned = await startConnected(kind, createTransport, { clock });
    const [startsAt, endsAt] = [clock.now() + 60_000, clock.now() + 120_000];
    await planned.maintenance.enable({ startsAt: new Date(startsAt), endsAt: new Date(endsAt) });
    expect(await planned.ask('buy')).toEqual({ name: 'bought teapot' });
    await clock.moveTo(startsAt);
    await expect(planned.ask('buy')).rejects.toMatchObject({ code: 'SERVICE_UNAVAILABLE', retryAfter: 60 });
    await clock.moveTo(endsAt);
    expect(await planned.ask('buy')).toEqual({ name: 'bought teapot' });
    await planned.close();
  });

  it('end an open stream with an error and unsubscribe from it', async () => {
    running.complaints.length = 0;
    const received = { closed: 0, open: 0 };
    const failed = jest.fn();
    const closed = running.stream('tick').subscribe({ next: () => received.closed++, error: failed });
    const exempt = running.stream('tick.open').subscribe(() => received.open++);
    await eventually(() => expect([received.closed > 2, received.open > 2, open.streams]).toEqual([true, true, 2]));
    await during(running, {}, async () => {
      await eventually(() => expect(failed).toHaveBeenCalledWith(REFUSED));
      await eventually(() => expect(open.streams).toBe(1));
      const before = received.open;
      await eventually(() => expect(received.open).toBeGreaterThan(before + 2));
    });
    closed.unsubscribe();
    exempt.unsubscribe();
    // Streams over TCP continue after the client has unsubscribed.
    await eventually(() => expect(open.streams).toBe(0));
    expect(running.complaints).toEqual([]);
  });

  it('are dropped without a log line if they are events', async () => {
    running.journal.length = running.complaints.length = 0;
    await during(running, {}, async () => {
      for (const event of ['sold', 'sold', 'audited']) await running.emit(event);
      // Once the last event has arrived, the earlier ones have as well.
      await eventually(() => expect(running.journal).toContain('audited teapot'));
    });
    await running.emit('sold');
    await eventually(() => expect(running.journal).toEqual(['audited teapot', 'sold teapot']));
    expect(running.complaints).toEqual([]);
  });
});

describe.each(KINDS)('gRPC calls (%s)', (kind) => {
  const UNAVAILABLE = {
    code: 14,
    details: 'The service is down for maintenance. Please try again later.',
    retryAfter: '3600',
    mode: 'full;scope="*"',
    errorCode: 'MAINTENANCE',
  };
  let running: RpcRunning;
  let client: GrpcClient;
  beforeAll(async () => {
    const url = `127.0.0.1:${await getPort()}`;
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
  ])('are refused during a window and served after it: %s', async (method, items) => {
    expect(await during(running, {}, () => client.call(method))).toEqual(UNAVAILABLE);
    // On the same connection.
    expect(await client.call(method)).toEqual({ items });
    expect(running.complaints).toEqual([]);
  });

  it('end an open stream with an error', async () => {
    const outcome = client.call('Watch', 'endless');
    await eventually(() => expect(open.streams).toBeGreaterThan(0));
    await during(running, {}, async () => expect(await outcome).toEqual(UNAVAILABLE));
    await eventually(() => expect(open.streams).toBe(0));
    expect(running.complaints).toEqual([]);
  });

  it('are served with @SkipMaintenance()', async () => {
    expect(await during(running, {}, () => client.call('Open'))).toEqual({ items: ['teapot'] });
  });

  it('contain message and remaining time of the window', async () => {
    const window = { message: 'Back at four', endsAt: new Date(Date.now() + 100_000) };
    expect(await during(running, window, () => client.call('Buy'))).toEqual({
      code: 14,
      details: 'Back at four',
      retryAfter: expect.stringMatching(/^(100|9\d)$/),
      mode: expect.stringMatching(/^full;scope="\*";until=@\d+$/),
      errorCode: 'MAINTENANCE',
    });
  });

  it('omit the retry-after metadata if retryAfter is 0', async () => {
    expect(await during(running, { retryAfter: 0 }, () => client.call('Buy'))).toMatchObject({ retryAfter: undefined });
  });
});

/** The applications of one test, closed even if it fails. */
const opened: RpcRunning[] = [];
async function closeAfterTest<T extends RpcRunning>(starting: Promise<T>): Promise<T> {
  const running = await starting;
  opened.push(running);
  return running;
}
afterEach(async () => {
  for (const running of opened.splice(0)) await running.close();
});

describe('exemptions of microservices', () => {
  it.each(KINDS)('call `exempt.when` with the RPC context (%s)', async (kind) => {
    const types = new Set<string>();
    const when = (context: ExecutionContext): boolean => {
      types.add(context.getType());
      return context.getHandler().name === 'buy';
    };
    const running = await closeAfterTest(
      startConnected(kind, tcp, { options: { exempt: { when, roles: ['staff'] } } }),
    );
    await during(running, {}, async () => {
      expect(await running.ask('buy')).toEqual({ name: 'bought teapot' });
      await expect(running.ask('look')).rejects.toEqual(REFUSED);
    });
    expect([...types]).toEqual(['rpc']);
  });

  it('admit everything with `exempt.tests`', async () => {
    const running = await closeAfterTest(startConnected('stand-alone', tcp, { options: { exempt: { tests: true } } }));
    expect(await during(running, {}, () => running.ask('buy'))).toEqual({ name: 'bought teapot' });
  });

  it.each(KINDS)('leave handlers without the guard alone if `mount.guard` is false (%s)', async (kind) => {
    const running = await closeAfterTest(
      startConnected(kind, tcp, {
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

describe('microservices at startup', () => {
  const LOST = /Events that reach ServerTCP during maintenance are lost\..*`microservices\.events`/;
  const drop = { microservices: { events: 'drop' } } as const;
  const silent: [string, Kind, Partial<RpcSetup>][] = [
    ['stand-alone', 'stand-alone', { options: drop }],
    ['inheritAppConfig', 'express', { options: drop }],
    ['inheritAppConfig after listen()', 'fastify', { options: drop, isLate: true }],
    ['no inheritAppConfig', 'express without inheritAppConfig', { options: drop }],
    ['no event handlers', 'express', { controllers: [OpenHandlers] }],
    ['only request-scoped handlers', 'express', { controllers: [ScopedHandlers] }],
  ];
  const loud: [string, Kind, Partial<RpcSetup>, RegExp][] = [
    ['stand-alone', 'stand-alone', {}, LOST],
    ['hybrid application', 'express', {}, LOST],
    ['hybrid application without inheritAppConfig', 'fastify without inheritAppConfig', {}, LOST],
  ];
  it.each(silent)('log no warning: %s', async (_name, kind, setup) => {
    const running = await closeAfterTest(startRpc(kind, await tcp(), { controllers, ...setup }));
    expect(running.complaints).toEqual([]);
  });
  it.each(loud)('warn of events that would be lost: %s', async (_name, kind, setup, message) => {
    const running = await closeAfterTest(startRpc(kind, await tcp(), { controllers, ...setup }));
    expect(running.complaints).toEqual([expect.stringMatching(message)]);
  });

  it('fail if microservices.events is invalid', async () => {
    const options = { microservices: { events: 'keep' as never } };
    await expect(startRpc('stand-alone', await tcp(), { controllers, options })).rejects.toThrow(
      'nestjs-maintenance: the option `microservices.events` must be "redeliver", "drop" or a function, not "keep".',
    );
  });
});

describe('refused events', () => {
  // A filter that is already registered must not turn a refusal into an unhandled rejection.
  it.each(KINDS.filter((kind) => kind !== 'stand-alone'))(
    'do not run their handler if the microservice is connected after listen() (%s)',
    async (kind) => {
      const running = await closeAfterTest(
        startConnected(kind, tcp, { isLate: true, options: { microservices: { events: 'drop' } } }),
      );
      await during(running, {}, async () => {
        await running.emit('sold');
        await expect(running.ask('buy')).rejects.toEqual(REFUSED);
      });
      await running.emit('sold');
      await eventually(() => expect(running.journal).toEqual(['sold teapot']));
      expect(running.complaints).toEqual([]);
    },
  );

  it.each(KINDS)('are passed to the function in microservices.events (%s)', async (kind) => {
    const refused: string[] = [];
    const events = (context: ExecutionContext, { window }: Refusal): void =>
      void refused.push(`${context.getHandler().name} ${context.switchToRpc().getData().name} ${window?.message}`);
    const running = await closeAfterTest(startConnected(kind, tcp, { options: { microservices: { events } } }));
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
  ])('log one error if the function in microservices.events %s', async (_, fail) => {
    let calls = 0;
    const events = (): Promise<void> => {
      calls++;
      return fail();
    };
    const running = await closeAfterTest(
      startConnected('stand-alone', tcp, {
        options: { storage: new MemoryStateStorage(), microservices: { events } },
      }),
    );
    shortenTimers(running.app);
    await during(running, {}, async () => {
      for (let count = 1; count <= 5; count++) {
        await running.emit('sold');
        await eventually(() => expect(calls).toBe(count));
      }
      await eventually(() => expect(running.complaints).toHaveLength(1));
      // The response to a message arrives after the events before it.
      await expect(running.ask('buy')).rejects.toEqual(REFUSED);
      jest.restoreAllMocks();
    });
    expect(running.journal).toEqual([]);
    expect(running.complaints).toEqual([
      expect.stringMatching(/^`microservices\.events` failed.*(the table\\nis locked|no answer within 5 s)/),
    ]);
  });

  it('follow MAINTENANCE_MICROSERVICES_EVENTS', async () => {
    process.env.MAINTENANCE_MICROSERVICES_EVENTS = 'drop';
    try {
      const running = await closeAfterTest(startRpc('stand-alone', await tcp(), { controllers }));
      expect(running.complaints).toEqual([]);
      process.env.MAINTENANCE_MICROSERVICES_EVENTS = 'keep';
      await expect(startRpc('stand-alone', await tcp(), { controllers })).rejects.toThrow(
        /environment variable MAINTENANCE_MICROSERVICES_EVENTS, must be "redeliver", "drop" or a function, not "keep"/,
      );
    } finally {
      delete process.env.MAINTENANCE_MICROSERVICES_EVENTS;
    }
  });
});

describe.each(KINDS)('a microservice (%s)', (kind) => {
  it('refuses messages if all handlers are request-scoped', async () => {
    const running = await closeAfterTest(startConnected(kind, tcp, { controllers: [ScopedHandlers] }));
    await expect(during(running, {}, () => running.ask('scoped'))).rejects.toEqual(REFUSED);
    expect(await running.ask('scoped')).toEqual(ITEM);
  });

  it('runs the exempt handlers of an event if another handler is refused', async () => {
    const running = await closeAfterTest(
      startConnected(kind, tcp, {
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

  it('is drained once its in-flight message is answered', async () => {
    const running = await closeAfterTest(startConnected(kind, tcp, { controllers: [SlowHandlers] }));
    const { promise, answer } = slow();
    const asked = running.ask('slow');
    await promise;
    await running.maintenance.enable();
    await waitUntilDrainBlockedBy(running.maintenance, 'message slow');
    await expect(running.ask('slow')).rejects.toEqual(REFUSED);
    answer();
    expect(await asked).toEqual(ITEM);
    expect(await running.maintenance.drained()).toMatchObject({ drained: true });
  });
});

it.each(['express', 'fastify'] as const)('refuses messages with deferInitialization (%s)', async (kind) => {
  const running = await closeAfterTest(
    startConnected(`${kind} without inheritAppConfig`, tcp, {
      deferInitialization: true,
      controllers: [OpenHandlers, ShopHandlers],
    }),
  );
  await expect(during(running, {}, () => running.ask('open.undone'))).rejects.toEqual(REFUSED);
  await expect(during(running, {}, () => running.ask('buy'))).rejects.toEqual(REFUSED);
});

it.each(KINDS)('removes its patches when the application is closed (%s)', async (kind) => {
  const running = await startConnected(kind, tcp);
  const config = running.app.get(ApplicationConfig);
  expect(Object.hasOwn(config, 'getGlobalGuards')).toBe(true);
  await during(running, {}, () => running.ask('buy').catch(() => undefined));
  await running.close();
  expect(Object.hasOwn(config, 'getGlobalGuards')).toBe(false);
});
