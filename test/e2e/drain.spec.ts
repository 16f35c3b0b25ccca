import { Controller, Get, Inject, Res, Post, Sse, type LoggerService } from '@nestjs/common';
import {
  MaintenanceScope,
  MaintenanceService,
  MaintenanceStorageError,
  MaintenanceInactiveError,
  SkipMaintenance,
  useMaintenance,
  type DrainReport,
  type InstanceReport,
  type StateStorage,
} from 'nestjs-maintenance';
import { ManualClock, MemoryStateStorage } from 'nestjs-maintenance/testing';
import { connect } from 'node:net';
import { connect as connectHttp2, constants, type ServerHttp2Stream } from 'node:http2';
import { NEVER } from 'rxjs';
import { TIMEOUT_MS, until } from '../tools/waiting.js';
import { ADAPTERS, start, type Running, type Setup } from './application.js';

const TOKEN = 'the-token-of-the-test';

/** Blocks handlers until the test releases them. */
class Blocker {
  blocked = 0;
  #releases: (() => void)[] = [];

  block(): Promise<string> {
    this.blocked++;
    return new Promise((resolve) => this.#releases.push(() => resolve('done')));
  }

  release(): void {
    this.blocked = 0;
    this.#releases.splice(0).forEach((release) => release());
  }
}

const gate = new Blocker();

@Controller()
class SlowController {
  constructor(@Inject(MaintenanceService) private readonly maintenance: MaintenanceService) {}

  @Get('orders/:id')
  read(): Promise<string> {
    return gate.block();
  }

  @Post('orders')
  write(): Promise<string> {
    return gate.block();
  }

  @MaintenanceScope('payments')
  @Get('payments')
  pay(): Promise<string> {
    return gate.block();
  }

  @SkipMaintenance()
  @Get('skipped')
  skipped(): Promise<string> {
    return gate.block();
  }

  @Sse('events')
  events() {
    return NEVER;
  }

  @Post('exports')
  async export(@Res() response: { status(code: number): { send(text: string): void } }): Promise<void> {
    response.status(202).send('begun');
    await gate.block();
  }

  @SkipMaintenance()
  @Post('drain')
  drain(): Promise<DrainReport> {
    return this.maintenance.drained({ timeout: TIMEOUT_MS });
  }
}

/** Returns what blocks a drain once every running instance has reported the state. */
async function peekDrain(maintenance: MaintenanceService): Promise<DrainReport> {
  const { revision } = maintenance.status();
  const isReported = (report: InstanceReport): boolean => report.stopped === true || report.revision === revision;
  await until('the state is reported', async () => (await maintenance.instances()).every(isReported));
  return maintenance.drained({ timeout: 0 });
}

function countConnections({ app }: Running): Promise<number> {
  return new Promise((resolve) =>
    app.getHttpServer().getConnections((_error: unknown, count: number) => resolve(count)),
  );
}

describe.each(ADAPTERS)('drained() (%s)', (adapter) => {
  let running: Running;

  async function startWith(setup: Setup = {}): Promise<Running> {
    const { options, ...rest } = setup;
    running = await start(adapter, {
      controllers: [SlowController],
      extras: { admin: true },
      options: { adminToken: TOKEN, storage: new MemoryStateStorage(), ...options },
      ...rest,
    });
    return running;
  }

  afterEach(async () => {
    gate.release();
    await running.close();
  });

  /** Sends a request, waits until its handler runs and returns a function that waits for the status. */
  async function sendAndBlock(path: string, method = 'GET'): Promise<() => Promise<number>> {
    const before = gate.blocked;
    const reply = running.call(path, { method });
    await until('the handler runs', () => gate.blocked > before);
    return async () => (await reply).status;
  }

  async function getInstances(): Promise<InstanceReport[]> {
    const reply = await running.call('/maintenance-mode/instances', { headers: { authorization: `Bearer ${TOKEN}` } });
    expect(reply.status).toBe(200);
    return reply.json();
  }

  it.each([
    ['true', {}],
    ['false', { edge: false }],
  ])('waits for in-flight requests (mount.edge: %s)', async (_title, mount) => {
    await startWith({ extras: { admin: true, mount } });
    const slow = [await sendAndBlock('/orders/7?secret=1'), await sendAndBlock('/orders/8')];
    await running.maintenance.enable();
    const draining = running.maintenance.drained({ timeout: TIMEOUT_MS });
    await until('it is reported', async () => (await getInstances())[0]?.inFlight === 2);
    const [instance] = await getInstances();
    expect(instance).toMatchObject({
      host: expect.any(String),
      pid: process.pid,
      revision: 1,
      streams: 0,
      longest: [{ name: 'GET /orders/:id', count: 2, oldest: expect.any(Number) }],
    });
    expect((await running.call('/orders/9')).status).toBe(503);
    gate.release();
    expect(await Promise.all(slow.map((status) => status()))).toEqual([200, 200]);
    expect(await draining).toMatchObject({
      drained: true,
      revision: 1,
      pending: [],
      instances: [{ id: instance?.id, inFlight: 0 }],
    });
  });

  it('returns the pending requests on timeout', async () => {
    await startWith();
    const slow = await sendAndBlock('/orders/7');
    await running.maintenance.enable();
    const report = await running.maintenance.drained({ timeout: 300 });
    expect(report).toMatchObject({
      drained: false,
      pending: [{ reason: 'in-flight', instance: { inFlight: 1, longest: [{ name: 'GET /orders/:id' }] } }],
    });
    expect(report.elapsed).toBeGreaterThanOrEqual(300);
    gate.release();
    await slow();
  });

  it('sees that requests have finished in the millisecond of the last report', async () => {
    await startWith({ clock: new ManualClock(Date.now()) });
    const slow = await sendAndBlock('/orders/7');
    await running.maintenance.enable();
    await until('the state is reported', async () => (await getInstances())[0]?.revision === 1);
    const draining = running.maintenance.drained({ timeout: TIMEOUT_MS });
    // The first look of the drain finds the request, whose end is reported before the second look.
    await new Promise((resolve) => setImmediate(resolve));
    gate.release();
    expect(await slow()).toBe(200);
    expect(await draining).toMatchObject({ drained: true });
  });

  it('waits for in-flight requests after a planned window has started', async () => {
    const clock = new ManualClock(Date.now());
    await startWith({ clock });
    const slow = await sendAndBlock('/orders/7');
    const startsAt = clock.now() + 60_000;
    await running.maintenance.enable({ startsAt: new Date(startsAt) });
    await clock.moveTo(startsAt);
    expect(await peekDrain(running.maintenance)).toMatchObject({ drained: false });
    gate.release();
    await slow();
    expect(await running.maintenance.drained({ timeout: TIMEOUT_MS })).toMatchObject({ drained: true });
  });

  it.each<[string, string, string, Parameters<MaintenanceService['enable']>[0], Setup['options']]>([
    ['with @SkipMaintenance()', 'GET', '/skipped', {}, {}],
    ['of another scope', 'GET', '/orders/7', { scope: 'payments' }, {}],
    ['that reads in a read-only window', 'GET', '/orders/7', { mode: 'read-only' }, {}],
    ['of an exempt path', 'GET', '/orders/7', {}, { exempt: { urls: ['/orders/{*rest}'] } }],
    ['from an exempt IP address', 'GET', '/orders/7', {}, { exempt: { ips: ['127.0.0.1'] } }],
  ])('does not wait for a request %s', async (_what, method, path, window, options) => {
    await startWith({ options });
    const slow = await sendAndBlock(path, method);
    await running.maintenance.enable(window);
    expect(await running.maintenance.drained({ timeout: TIMEOUT_MS })).toMatchObject({ drained: true });
    gate.release();
    expect(await slow()).toBe(200);
  });

  it.each<[string, string, string, Parameters<MaintenanceService['enable']>[0]]>([
    ['of the scope of the window', 'GET', '/payments', { scope: 'payments' }],
    ['that writes in a read-only window', 'POST', '/orders', { mode: 'read-only' }],
  ])('waits for a request %s', async (_what, method, path, window) => {
    await startWith();
    const slow = await sendAndBlock(path, method);
    await running.maintenance.enable(window);
    expect(await peekDrain(running.maintenance)).toMatchObject({ drained: false });
    gate.release();
    await slow();
    expect(await running.maintenance.drained({ timeout: TIMEOUT_MS })).toMatchObject({ drained: true });
  });

  it('waits for requests admitted during an earlier window, but not for exempt ones', async () => {
    await startWith({ options: { exempt: { when: (context) => context.getHandler().name === 'read' } } });
    await running.maintenance.enable({ scope: 'payments' });
    const admitted = await sendAndBlock('/orders', 'POST');
    await running.maintenance.enable();
    const exempt = await sendAndBlock('/orders/7');
    expect(await peekDrain(running.maintenance)).toMatchObject({
      drained: false,
      pending: [{ instance: { inFlight: 1, longest: [{ name: 'POST /orders' }] } }],
    });
    gate.release();
    expect(await Promise.all([admitted(), exempt()])).toEqual([201, 200]);
  });

  it.each(['before', 'after'])('waits for a handler whose client disconnected %s the middleware', async (when) => {
    const entrance = new Blocker();
    // Delays the request before or after the maintenance middleware.
    const wait = (_request: unknown, _response: unknown, next: () => void): void =>
      void entrance.block().then(() => next());
    await startWith({
      main: (app) => {
        if (when === 'after') useMaintenance(app);
        app.use(wait);
      },
    });
    const socket = connect(running.port, '127.0.0.1');
    socket.write('GET /orders/7 HTTP/1.1\r\nhost: a\r\n\r\n');
    await until('the request has arrived', () => entrance.blocked === 1);
    socket.destroy();
    await until('the connection is closed', async () => (await countConnections(running)) === 0);
    entrance.release();
    await until('the handler runs', () => gate.blocked === 1);
    await running.maintenance.enable();
    expect(await peekDrain(running.maintenance)).toMatchObject({ drained: false });
    gate.release();
    expect(await running.maintenance.drained({ timeout: TIMEOUT_MS })).toMatchObject({ drained: true });
  });

  it('waits for a handler that runs on after its response', async () => {
    await startWith();
    expect((await running.call('/exports', { method: 'POST' })).status).toBe(202);
    await running.maintenance.enable();
    expect(await peekDrain(running.maintenance)).toMatchObject({
      drained: false,
      pending: [{ instance: { longest: [{ name: 'POST /exports' }] } }],
    });
    gate.release();
    expect(await running.maintenance.drained({ timeout: TIMEOUT_MS })).toMatchObject({ drained: true });
  });

  it('waits for pipelined requests whose client disconnected', async () => {
    await startWith();
    const socket = connect(running.port, '127.0.0.1');
    socket.on('error', () => undefined);
    socket.write('GET /orders/1 HTTP/1.1\r\nhost: a\r\n\r\n'.repeat(3));
    await until('all handlers run', () => gate.blocked === 3);
    socket.destroy();
    await until('the connection is closed', async () => (await countConnections(running)) === 0);
    await running.maintenance.enable();
    expect(await peekDrain(running.maintenance)).toMatchObject({
      pending: [{ instance: { inFlight: 3 } }],
    });
    gate.release();
    expect(await running.maintenance.drained({ timeout: TIMEOUT_MS })).toMatchObject({ drained: true });
  });

  it('names pending requests by their route pattern only', async () => {
    const entrance = new Blocker();
    await startWith({
      main: (app) => {
        useMaintenance(app);
        app.use((_request: unknown, _response: unknown, next: () => void) => void entrance.block().then(() => next()));
      },
    });
    const waiting = ['/orders/secret', '/none/secret'].map((path) => running.call(path));
    await until('both requests have arrived', () => entrance.blocked === 2);
    await running.maintenance.enable();
    const { pending } = await peekDrain(running.maintenance);
    expect(pending[0]?.instance.longest?.map(({ name }) => name).sort()).toEqual(['GET (no route)', 'GET /orders/:id']);
    entrance.release();
    await Promise.all(waiting);
  });

  it('completes although a report could not be written at first', async () => {
    const storage = new MemoryStateStorage();
    await startWith({ options: { storage } });
    await until('it has reported', async () => (await running.maintenance.instances()).length === 1);
    const report = storage.report.bind(storage);
    let failures = 1;
    storage.report = (record) => (failures-- > 0 ? Promise.reject(new Error('busy')) : report(record));
    await running.maintenance.enable();
    expect(await running.maintenance.drained({ timeout: TIMEOUT_MS })).toMatchObject({ drained: true });
    expect(failures).toBeLessThan(0);
  });

  it('waits for requests of an instance that has stopped', async () => {
    const storage = new MemoryStateStorage();
    await startWith({ options: { storage } });
    const ending = await start(adapter, { controllers: [SlowController], options: { storage } });
    const controller = new AbortController();
    const gone = fetch(`http://127.0.0.1:${ending.port}/orders/7`, { signal: controller.signal }).catch(() => 'gone');
    await until('the handler runs', () => gate.blocked === 1);
    controller.abort();
    expect(await gone).toBe('gone');
    await ending.close();
    await running.maintenance.enable();
    expect(await peekDrain(running.maintenance)).toMatchObject({
      drained: false,
      pending: [{ reason: 'in-flight', instance: { stopped: true, inFlight: 1 } }],
    });
  });

  it('waits for an instance that is not in maintenance although another one is forced on', async () => {
    const storage = new MemoryStateStorage();
    await startWith({ options: { storage, enabled: true } });
    const other = await start(adapter, { options: { storage } });
    expect(await peekDrain(running.maintenance)).toMatchObject({
      drained: false,
      pending: [{ reason: 'behind' }],
    });
    await other.close();
  });

  it.each([NaN, -1, '60s'])('rejects the timeout %p', async (timeout) => {
    await startWith();
    await running.maintenance.enable();
    await expect(running.maintenance.drained({ timeout: timeout as number })).rejects.toThrow(
      `\`timeout\` must be a number of milliseconds, 0 or more, not ${timeout}.`,
    );
  });

  it('can be called in a handler with @SkipMaintenance()', async () => {
    await startWith();
    await running.maintenance.enable();
    const reply = await running.call('/drain', { method: 'POST' });
    expect(reply.json()).toMatchObject({ drained: true });
  });

  it('reports streams separately and does not wait for them', async () => {
    await startWith({ options: { exempt: { when: () => true } } });
    const controller = new AbortController();
    const stream = await fetch(`http://127.0.0.1:${running.port}/events`, { signal: controller.signal });
    await running.maintenance.enable();
    expect(await running.maintenance.drained({ timeout: TIMEOUT_MS })).toMatchObject({
      drained: true,
      instances: [{ inFlight: 0, streams: 1 }],
    });
    controller.abort();
    await stream.text().catch(() => undefined);
  });

  it('throws while maintenance is off', async () => {
    await startWith();
    await expect(running.maintenance.drained()).rejects.toThrow(MaintenanceInactiveError);
    await expect(running.maintenance.drained()).rejects.toThrow(/^Maintenance is off; there is nothing to wait for\./);
  });

  it('resolves while maintenance is forced on', async () => {
    await startWith({ options: { enabled: true } });
    expect(await running.maintenance.drained()).toMatchObject({ drained: true, instances: [{ forced: true }] });
  });

  it('throws if the storage does not support reports', async () => {
    const memory = new MemoryStateStorage();
    const storage: StateStorage = {
      kind: 'own',
      location: 'somewhere',
      read: () => memory.read(),
      write: (next, ifVersion) => memory.write(next, ifVersion),
    };
    await startWith({ options: { storage } });
    await running.maintenance.enable();
    const says = /^own somewhere does not support instance reports/;
    await expect(running.maintenance.drained()).rejects.toThrow(says);
    await expect(running.maintenance.instances()).rejects.toThrow(MaintenanceStorageError);
    const reply = await running.call('/maintenance-mode/instances', { headers: { authorization: `Bearer ${TOKEN}` } });
    expect([reply.status, reply.json().message]).toEqual([502, expect.stringMatching(says)]);
  });

  it('logs one warning if reports cannot be written, without failing the startup', async () => {
    const lines: string[] = [];
    const warn = (text: string): void => void lines.push(text);
    const logger = { log: () => undefined, error: warn, warn } as LoggerService;
    const storage = new MemoryStateStorage();
    storage.report = () => Promise.reject(new Error('no space'));
    await startWith({ options: { storage }, create: { logger } });
    await running.maintenance.enable();
    await running.maintenance.disable();
    expect(lines.filter((line) => /report/i.test(line))).toEqual([
      "Reports of this instance can't be written, so `on --wait` does not count it: no space",
    ]);
  });

  it('ignores instances that have stopped', async () => {
    const storage = new MemoryStateStorage();
    await startWith({ options: { storage } });
    const other = await start(adapter, { options: { storage } });
    await until('both have reported', async () => (await running.maintenance.instances()).length === 2);
    await other.close();
    expect((await running.maintenance.instances()).length).toBe(1);
  });
});

it.each([
  ['before', true],
  ['while', false],
])('drained() waits for an HTTP/2 request that is reset %s the window starts', async (_when, isLate) => {
  const streams: ServerHttp2Stream[] = [];
  const running = await start('fastify', {
    controllers: [SlowController],
    options: { storage: new MemoryStateStorage() },
    fastify: { http2: true },
    main: (app) => void app.getHttpServer().on('stream', (stream: ServerHttp2Stream) => streams.push(stream)),
  });
  const session = connectHttp2(`http://127.0.0.1:${running.port}`);
  try {
    const stream = session.request({ ':path': '/orders/7' });
    stream.on('error', () => undefined);
    await until('the handler runs', () => gate.blocked === 1);
    stream.close(constants.NGHTTP2_CANCEL);
    const reset = (): Promise<void> => until('the server has noticed the reset', () => streams[0]!.destroyed);
    if (isLate) await reset();
    await running.maintenance.enable();
    await reset();
    expect(await peekDrain(running.maintenance)).toMatchObject({ drained: false });
    gate.release();
    expect(await running.maintenance.drained({ timeout: TIMEOUT_MS })).toMatchObject({ drained: true });
  } finally {
    session.destroy();
    await running.close();
  }
});
