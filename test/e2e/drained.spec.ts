import { Controller, Get, Inject, Res, Post, Sse, type LoggerService } from '@nestjs/common';
import {
  MaintenanceScope,
  MaintenanceService,
  MaintenanceStorageError,
  NothingDrainsError,
  SkipMaintenance,
  useMaintenance,
  type DrainReport,
  type InstanceReport,
  type StateStorage,
} from 'nestjs-maintenance';
import { MemoryStateStorage } from 'nestjs-maintenance/testing';
import { connect } from 'node:net';
import { connect as connectHttp2, constants, type ServerHttp2Stream } from 'node:http2';
import { NEVER } from 'rxjs';
import { until } from '../tools/waiting.js';
import { ADAPTERS, start, type Running, type Setup } from './application.js';

const TOKEN = 'the-token-of-the-test';

/** Holds requests until it is told to let them go. */
class Gate {
  held = 0;
  #open: (() => void)[] = [];

  pass(): Promise<string> {
    this.held++;
    return new Promise((resolve) => this.#open.push(() => resolve('done')));
  }

  open(): void {
    this.held = 0;
    this.#open.splice(0).forEach((open) => open());
  }
}

const gate = new Gate();

@Controller()
class SlowController {
  constructor(@Inject(MaintenanceService) private readonly maintenance: MaintenanceService) {}

  @Get('orders/:id')
  read(): Promise<string> {
    return gate.pass();
  }

  @Post('orders')
  write(): Promise<string> {
    return gate.pass();
  }

  @MaintenanceScope('payments')
  @Get('payments')
  pay(): Promise<string> {
    return gate.pass();
  }

  @SkipMaintenance()
  @Get('skipped')
  skipped(): Promise<string> {
    return gate.pass();
  }

  @Sse('events')
  events() {
    return NEVER;
  }

  @Post('exports')
  async export(@Res() response: { status(code: number): { send(text: string): void } }): Promise<void> {
    response.status(202).send('begun');
    await gate.pass();
  }

  @SkipMaintenance()
  @Post('drain')
  drain(): Promise<DrainReport> {
    return this.maintenance.drained({ timeout: 2_000 });
  }
}

describe.each(ADAPTERS)('what was admitted before, on %s', (adapter) => {
  let running: Running;

  async function open(setup: Setup = {}): Promise<Running> {
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
    gate.open();
    await running.close();
  });

  /** Sends a request, and waits until its handler has it. */
  async function begin(path: string, method = 'GET'): Promise<() => Promise<number>> {
    const before = gate.held;
    const reply = running.call(path, { method });
    await until('the handler has it', () => gate.held > before);
    return async () => (await reply).status;
  }

  async function instances(): Promise<InstanceReport[]> {
    const reply = await running.call('/maintenance-mode/instances', { headers: { authorization: `Bearer ${TOKEN}` } });
    expect(reply.status).toBe(200);
    return reply.json();
  }

  it.each([
    ['with the edge', {}],
    ['without the edge', { edge: false }],
  ])('is waited for, %s', async (_title, mount) => {
    await open({ extras: { admin: true, mount } });
    const slow = [await begin('/orders/7?secret=1'), await begin('/orders/8')];
    await running.maintenance.enable();
    const draining = running.maintenance.drained({ timeout: 20_000 });
    await until('it is reported', async () => (await instances())[0]?.inFlight === 2);
    const [instance] = await instances();
    expect(instance).toMatchObject({
      host: expect.any(String),
      pid: process.pid,
      revision: 1,
      streams: 0,
      longest: [{ name: 'GET /orders/:id', count: 2, oldest: expect.any(Number) }],
    });
    expect((await running.call('/orders/9')).status).toBe(503);
    gate.open();
    expect(await Promise.all(slow.map((status) => status()))).toEqual([200, 200]);
    expect(await draining).toMatchObject({
      drained: true,
      revision: 1,
      pending: [],
      instances: [{ id: instance?.id, inFlight: 0 }],
    });
  });

  it('holds it up, and is told when the time is over', async () => {
    await open();
    const slow = await begin('/orders/7');
    await running.maintenance.enable();
    const report = await running.maintenance.drained({ timeout: 300 });
    expect(report).toMatchObject({
      drained: false,
      pending: [{ reason: 'in-flight', instance: { inFlight: 1, longest: [{ name: 'GET /orders/:id' }] } }],
    });
    expect(report.elapsed).toBeGreaterThanOrEqual(300);
    gate.open();
    await slow();
  });

  it('is waited for after the start of a planned window, which nobody writes', async () => {
    await open();
    const slow = await begin('/orders/7');
    await running.maintenance.enable({ startsAt: new Date(Date.now() + 300) });
    await until('it has begun', () => running.maintenance.isActive());
    expect(await running.maintenance.drained({ timeout: 500 })).toMatchObject({ drained: false });
    gate.open();
    await slow();
    expect(await running.maintenance.drained({ timeout: 5_000 })).toMatchObject({ drained: true });
  });

  it.each<[string, string, string, Parameters<MaintenanceService['enable']>[0], Setup['options']]>([
    ['that is marked', 'GET', '/skipped', {}, {}],
    ['of another scope', 'GET', '/orders/7', { scope: 'payments' }, {}],
    ['that reads', 'GET', '/orders/7', { mode: 'read-only' }, {}],
    ['of an exempt path', 'GET', '/orders/7', {}, { exempt: { urls: ['/orders/{*rest}'] } }],
    ['of an exempt address', 'GET', '/orders/7', {}, { exempt: { ips: ['127.0.0.1'] } }],
  ])('is not waited for if it is a request %s', async (_what, method, path, window, options) => {
    await open({ options });
    const slow = await begin(path, method);
    await running.maintenance.enable(window);
    expect(await running.maintenance.drained({ timeout: 5_000 })).toMatchObject({ drained: true });
    gate.open();
    expect(await slow()).toBe(200);
  });

  it.each<[string, string, string, Parameters<MaintenanceService['enable']>[0]]>([
    ['of the scope', 'GET', '/payments', { scope: 'payments' }],
    ['that writes', 'POST', '/orders', { mode: 'read-only' }],
  ])('is waited for if it is a request %s', async (_what, method, path, window) => {
    await open();
    const slow = await begin(path, method);
    await running.maintenance.enable(window);
    expect(await running.maintenance.drained({ timeout: 300 })).toMatchObject({ drained: false });
    gate.open();
    await slow();
    expect(await running.maintenance.drained({ timeout: 5_000 })).toMatchObject({ drained: true });
  });

  it('is what a second window waits for too, and nothing that an exemption has let in since', async () => {
    await open({ options: { exempt: { when: (context) => context.getHandler().name === 'read' } } });
    await running.maintenance.enable({ scope: 'payments' });
    const admitted = await begin('/orders', 'POST');
    await running.maintenance.enable();
    const exempt = await begin('/orders/7');
    expect(await running.maintenance.drained({ timeout: 300 })).toMatchObject({
      drained: false,
      pending: [{ instance: { inFlight: 1, longest: [{ name: 'POST /orders' }] } }],
    });
    gate.open();
    expect(await Promise.all([admitted(), exempt()])).toEqual([201, 200]);
  });

  it.each([0, 1])('is waited for where the client went away before the handler began (%i)', async (round) => {
    const entrance = new Gate();
    // Before the edge, and after it.
    const wait = (_request: unknown, _response: unknown, next: () => void): void =>
      void entrance.pass().then(() => next());
    await open({
      main: (app) => {
        if (round === 1) useMaintenance(app);
        app.use(wait);
      },
    });
    const controller = new AbortController();
    const url = `http://127.0.0.1:${running.port}/orders/7`;
    const gone = fetch(url, { signal: controller.signal }).catch(() => 'gone');
    await until('it has come', () => entrance.held === 1);
    const sockets = (): Promise<number> =>
      new Promise((resolve) =>
        running.app.getHttpServer().getConnections((_: unknown, count: number) => resolve(count)),
      );
    controller.abort();
    expect(await gone).toBe('gone');
    await until('the connection is closed', async () => (await sockets()) === 0);
    entrance.open();
    await until('the handler has it', () => gate.held === 1);
    await running.maintenance.enable();
    expect(await running.maintenance.drained({ timeout: 300 })).toMatchObject({ drained: false });
    gate.open();
    expect(await running.maintenance.drained({ timeout: 5_000 })).toMatchObject({ drained: true });
  });

  it('is waited for where it goes on after its answer', async () => {
    await open();
    expect((await running.call('/exports', { method: 'POST' })).status).toBe(202);
    await running.maintenance.enable();
    expect(await running.maintenance.drained({ timeout: 300 })).toMatchObject({
      drained: false,
      pending: [{ instance: { longest: [{ name: 'POST /exports' }] } }],
    });
    gate.open();
    expect(await running.maintenance.drained({ timeout: 5_000 })).toMatchObject({ drained: true });
  });

  it('is done with its handlers where requests came one behind the other, and the client went away', async () => {
    await open();
    const socket = connect(running.port, '127.0.0.1');
    socket.on('error', () => undefined);
    socket.write('GET /orders/1 HTTP/1.1\r\nhost: a\r\n\r\n'.repeat(3));
    await until('all are there', () => gate.held === 3);
    socket.destroy();
    await running.maintenance.enable();
    expect(await running.maintenance.drained({ timeout: 300 })).toMatchObject({
      pending: [{ instance: { inFlight: 3 } }],
    });
    gate.open();
    expect(await running.maintenance.drained({ timeout: 5_000 })).toMatchObject({ drained: true });
  });

  it('is known by its route before that is taken, and by nothing of the caller', async () => {
    const entrance = new Gate();
    await open({
      main: (app) => {
        useMaintenance(app);
        app.use((_request: unknown, _response: unknown, next: () => void) => void entrance.pass().then(() => next()));
      },
    });
    const waiting = ['/orders/secret', '/none/secret'].map((path) => running.call(path));
    await until('both have come', () => entrance.held === 2);
    await running.maintenance.enable();
    const { pending } = await running.maintenance.drained({ timeout: 300 });
    expect(pending[0]?.instance.longest?.map(({ name }) => name).sort()).toEqual(['GET (no route)', 'GET /orders/:id']);
    entrance.open();
    await Promise.all(waiting);
  });

  it('is told again soon where a report could not be written', async () => {
    const storage = new MemoryStateStorage();
    await open({ options: { storage } });
    await until('it has reported', async () => (await running.maintenance.instances()).length === 1);
    const report = storage.report.bind(storage);
    let failures = 1;
    storage.report = (record) => (failures-- > 0 ? Promise.reject(new Error('busy')) : report(record));
    await running.maintenance.enable();
    expect(await running.maintenance.drained({ timeout: 10_000 })).toMatchObject({ drained: true });
    expect(failures).toBeLessThan(0);
  });

  it('is not forgotten with an instance that ends before it is done', async () => {
    const storage = new MemoryStateStorage();
    await open({ options: { storage } });
    const ending = await start(adapter, { controllers: [SlowController], options: { storage } });
    const controller = new AbortController();
    const gone = fetch(`http://127.0.0.1:${ending.port}/orders/7`, { signal: controller.signal }).catch(() => 'gone');
    await until('the handler has it', () => gate.held === 1);
    controller.abort();
    expect(await gone).toBe('gone');
    await ending.close();
    await running.maintenance.enable();
    expect(await running.maintenance.drained({ timeout: 300 })).toMatchObject({
      drained: false,
      pending: [{ reason: 'in-flight', instance: { stopped: true, inFlight: 1 } }],
    });
  });

  it('is no question for who is not closed by the configuration of another', async () => {
    const storage = new MemoryStateStorage();
    await open({ options: { storage, enabled: true } });
    const other = await start(adapter, { options: { storage } });
    expect(await running.maintenance.drained({ timeout: 300 })).toMatchObject({
      drained: false,
      pending: [{ reason: 'behind' }],
    });
    await other.close();
  });

  it.each([NaN, -1, '60s'])('is waited for as long as somebody says, which is not %p', async (timeout) => {
    await open();
    await running.maintenance.enable();
    await expect(running.maintenance.drained({ timeout: timeout as number })).rejects.toThrow(
      `\`timeout\` must be a number of milliseconds, 0 or more, not ${timeout}.`,
    );
  });

  it('may be waited for in a handler that stays open', async () => {
    await open();
    await running.maintenance.enable();
    const reply = await running.call('/drain', { method: 'POST' });
    expect(reply.json()).toMatchObject({ drained: true });
  });

  it('is counted apart if it is a stream, and not waited for', async () => {
    await open({ options: { exempt: { when: () => true } } });
    const controller = new AbortController();
    const stream = await fetch(`http://127.0.0.1:${running.port}/events`, { signal: controller.signal });
    await running.maintenance.enable();
    expect(await running.maintenance.drained({ timeout: 5_000 })).toMatchObject({
      drained: true,
      instances: [{ inFlight: 0, streams: 1 }],
    });
    controller.abort();
    await stream.text().catch(() => undefined);
  });

  it('is no question while maintenance is off', async () => {
    await open();
    await expect(running.maintenance.drained()).rejects.toThrow(NothingDrainsError);
    await expect(running.maintenance.drained()).rejects.toThrow(/^Maintenance is off, so nothing drains\./);
  });

  it('is a question where the configuration keeps it closed', async () => {
    await open({ options: { enabled: true } });
    expect(await running.maintenance.drained()).toMatchObject({ drained: true, instances: [{ forced: true }] });
  });

  it('can not be known where the storage keeps no reports', async () => {
    const memory = new MemoryStateStorage();
    const storage: StateStorage = {
      kind: 'own',
      location: 'somewhere',
      read: () => memory.read(),
      write: (next, ifVersion) => memory.write(next, ifVersion),
    };
    await open({ options: { storage } });
    await running.maintenance.enable();
    const says = /^own somewhere keeps no reports of instances/;
    await expect(running.maintenance.drained()).rejects.toThrow(says);
    await expect(running.maintenance.instances()).rejects.toThrow(MaintenanceStorageError);
    const reply = await running.call('/maintenance-mode/instances', { headers: { authorization: `Bearer ${TOKEN}` } });
    expect([reply.status, reply.json().message]).toEqual([502, expect.stringMatching(says)]);
  });

  it('is reported with one line in the log where that fails, and the application starts all the same', async () => {
    const lines: string[] = [];
    const warn = (text: string): void => void lines.push(text);
    const logger = { log: () => undefined, error: warn, warn } as LoggerService;
    const storage = new MemoryStateStorage();
    storage.report = () => Promise.reject(new Error('no space'));
    await open({ options: { storage }, create: { logger } });
    await running.maintenance.enable();
    await running.maintenance.disable();
    expect(lines.filter((line) => /report/i.test(line))).toEqual([
      "Reports of this instance can't be written, so `on --wait` does not count it: no space",
    ]);
  });

  it('is of one instance until that ends', async () => {
    const storage = new MemoryStateStorage();
    await open({ options: { storage } });
    const other = await start(adapter, { options: { storage } });
    await until('both have reported', async () => (await running.maintenance.instances()).length === 2);
    await other.close();
    expect((await running.maintenance.instances()).length).toBe(1);
  });
});

it.each([
  ['before the window', true],
  ['as the window opens', false],
])('is waited for where a stream of HTTP/2 is reset, %s', async (_when, isLate) => {
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
    await until('the handler has it', () => gate.held === 1);
    stream.close(constants.NGHTTP2_CANCEL);
    if (isLate) await until('the server knows', () => streams[0]?.destroyed === true);
    await running.maintenance.enable();
    expect(await running.maintenance.drained({ timeout: 300 })).toMatchObject({ drained: false });
    gate.open();
    expect(await running.maintenance.drained({ timeout: 5_000 })).toMatchObject({ drained: true });
  } finally {
    session.destroy();
    await running.close();
  }
});
