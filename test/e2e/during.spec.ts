import { execFileSync } from 'node:child_process';
import { channel } from 'node:diagnostics_channel';
import { getEventListeners } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Module, type INestApplication, type LoggerService } from '@nestjs/common';
import { Test } from '@nestjs/testing';
import {
  Clock,
  InvalidWindowError,
  MaintenanceAbortedError,
  MaintenanceDrainError,
  MaintenanceForcedError,
  MaintenanceModule,
  MaintenanceService,
  type MaintenanceModuleOptions,
  type MaintenanceState,
  type MaintenanceStatus,
} from 'nestjs-maintenance';
import { ManualClock, MemoryStateStorage } from 'nestjs-maintenance/testing';
import { until } from '../tools/waiting.js';
import { call, type Reply } from './client.js';

const START_MS = Date.parse('2026-12-01T02:00Z');
// Keeps a reference, as in change-notifications.spec.ts: Node may garbage-collect the channel of an earlier test file.
const CHANNEL = channel('nestjs-maintenance:change');

let clock: ManualClock;
let storage: MemoryStateStorage;
let app: INestApplication;
let maintenance: MaintenanceService;
const lines: string[] = [];
const record = (line: unknown, ...rest: unknown[]): void => {
  if (rest.at(-1) === 'Maintenance') lines.push(String(line));
};
const logger: LoggerService = { log: record, warn: record, error: record };

async function startApp(options: MaintenanceModuleOptions = {}): Promise<void> {
  clock = new ManualClock(START_MS);
  storage = new MemoryStateStorage({ now: () => clock.now() });

  @Module({ imports: [MaintenanceModule.forRoot({ storage, ...options })] })
  class AppModule {}

  const module = await Test.createTestingModule({ imports: [AppModule] })
    .overrideProvider(Clock)
    .useValue(clock)
    .compile();
  app = module.createNestApplication({ logger });
  await app.listen(0, '127.0.0.1');
  maintenance = app.get(MaintenanceService);
  lines.length = 0;
}

/** Advances the clock second by second, so that each timer runs before the next one is due. */
async function advance(seconds: number): Promise<void> {
  const end = clock.now() + seconds * 1000;
  while (clock.now() < end) await clock.moveTo(Math.min(end, clock.now() + 1000));
}

function get(path: string): Promise<Reply> {
  return call((app.getHttpServer().address() as AddressInfo).port, path);
}

afterEach(() => app.close());

describe('during()', () => {
  let signal: AbortSignal | undefined;
  let end: () => void;

  function runTask(): Promise<void> {
    return maintenance.during(
      (given) =>
        new Promise((resolve, reject) => {
          signal = given;
          end = resolve;
          given.addEventListener('abort', () => reject(given.reason as Error));
        }),
    );
  }

  async function waitUntilRunning(): Promise<void> {
    await until('the task runs', () => signal !== undefined);
  }

  beforeEach(() => (signal = undefined));

  it('keeps maintenance on while the task runs, without exposing the lease', async () => {
    await startApp();
    const task = runTask();
    await waitUntilRunning();
    await advance(45);
    expect(await get('/')).toMatchObject({ status: 503, headers: { 'retry-after': '3600' } });
    expect(maintenance.status().windows.active).toMatchObject([{ scope: '*', mode: 'full', endsAt: null }]);
    expect(JSON.stringify(maintenance.status())).not.toContain('lease');
    end();
    await task;
    expect(await get('/')).toMatchObject({ status: 404 });
  });

  it('does not log or publish renewals of the lease', async () => {
    await startApp();
    const messages: { changes: { action: string }[] }[] = [];
    const seen: MaintenanceStatus[] = [];
    const onMessage = (message: unknown): void => void messages.push(message as (typeof messages)[number]);
    CHANNEL.subscribe(onMessage);
    maintenance.changes.subscribe((status) => seen.push(status));
    const task = runTask();
    await waitUntilRunning();
    await advance(300);
    end();
    await task;
    CHANNEL.unsubscribe(onMessage);
    expect(maintenance.status().revision).toBe(1 + 300 / 20 + 1);
    expect(messages.map(({ changes }) => changes.map(({ action }) => action))).toEqual([['on'], ['off']]);
    expect(seen.map(({ active }) => active)).toEqual([true, false]);
    expect(lines).toEqual([
      expect.stringMatching(
        /^Maintenance is on: everything, .* until its program is done \(revision 1 by unknown via code/,
      ),
      expect.stringMatching(/^Maintenance is off \(revision 17 by unknown via code/),
    ]);
  });

  it('reports the revision of the renewal', async () => {
    await startApp();
    const task = runTask();
    await waitUntilRunning();
    await advance(21);
    expect(await maintenance.instances()).toMatchObject([{ revision: 2, windows: [{ id: expect.any(String) }] }]);
    end();
    await task;
  });

  it('counts an instance that has not read the last renewal as drained', async () => {
    await startApp();
    const task = runTask();
    await waitUntilRunning();
    await advance(1);
    const [report] = await maintenance.instances();
    await advance(20);
    await storage.report({ ...report!, id: 'other', seenAt: new Date(clock.now()).toISOString() });
    expect(await maintenance.drained({ timeout: 0 })).toMatchObject({ drained: true, revision: 1, pending: [] });
    await storage.report({ ...report!, id: 'other', revision: 0, seenAt: new Date(clock.now()).toISOString() });
    expect(await maintenance.drained({ timeout: 0 })).toMatchObject({ drained: false });
    end();
    await task;
  });

  it('logs that the window stays active if it cannot be ended', async () => {
    await startApp();
    const task = runTask();
    await waitUntilRunning();
    storage.fail(new Error('the network is down'));
    end();
    await task;
    expect(lines.at(-1)).toMatch(
      /^The maintenance window \w+ could not be ended after its work, so it stays on until 2026-12-01T02:01:00\.000Z: .*the network is down/,
    );
  });

  it('rejects without running the task while `enabled` is set', async () => {
    await startApp({ enabled: true });
    const never = jest.fn();
    await expect(maintenance.during(never)).rejects.toBeInstanceOf(MaintenanceForcedError);
    expect(never).not.toHaveBeenCalled();
  });

  it('aborts the task and ends the window when the application shuts down', async () => {
    await startApp();
    const task = runTask();
    await waitUntilRunning();
    const failed = expect(task).rejects.toThrow(new MaintenanceAbortedError('The application shuts down.'));
    await app.close();
    await failed;
    expect((await storage.read())!.state.windows).toEqual([]);
  });
});

describe('during() with wait and onFailure', () => {
  const work = jest.fn<Promise<string>, [AbortSignal]>();

  beforeEach(async () => {
    work.mockReset().mockResolvedValue('migrated');
    await startApp();
  });

  /** Adds the report of an instance that has an in-flight request from before every window. */
  async function addBusyInstance(): Promise<void> {
    await until('the instance reports', async () => (await maintenance.instances()).length === 1);
    const [own] = await maintenance.instances();
    await storage.report({ ...own!, id: 'f0000000', host: 'shop-2', pid: 4711, machine: 'another', inFlight: 1 });
  }

  async function readState(): Promise<MaintenanceState | undefined> {
    return (await storage.read())?.state;
  }

  it('calls the work once the instances have drained', async () => {
    let drained: boolean | undefined;
    work.mockImplementation(async () => {
      ({ drained } = await maintenance.drained({ timeout: 0 }));
      return 'migrated';
    });
    await expect(maintenance.during(work, { wait: true })).resolves.toBe('migrated');
    expect(drained).toBe(true);
    expect(maintenance.isActive()).toBe(false);
  });

  it.each(['off', 'keep'] as const)('ends the window if the drain times out, with onFailure: %s', async (onFailure) => {
    await addBusyInstance();
    const failure = maintenance.during(work, { wait: true, timeout: 50, onFailure });
    await expect(failure).rejects.toThrow(MaintenanceDrainError);
    await expect(failure).rejects.toThrow(
      /^The drain timed out after \d s; [12] of 2 instances blocked it: .*shop-2 \(pid 4711\): .*The work was not started\.$/,
    );
    await expect(failure).rejects.toMatchObject({ report: { drained: false, pending: expect.any(Array) } });
    expect(work).not.toHaveBeenCalled();
    expect(await readState()).toMatchObject({ windows: [], history: [{ action: 'off' }, { action: 'on' }] });
  });

  it('does not call the work if the window is turned off while it waits', async () => {
    await addBusyInstance();
    const failure = expect(maintenance.during(work, { wait: true, onFailure: 'keep' })).rejects.toThrow(/turned off/);
    await until('maintenance is on', () => maintenance.isActive());
    await maintenance.disable();
    await failure;
    expect(work).not.toHaveBeenCalled();
    expect((await readState())?.windows).toEqual([]);
  });

  it('leaves the window on until it is turned off if the work fails, with onFailure: keep', async () => {
    work.mockRejectedValue(new Error('disk full'));
    await expect(maintenance.during(work, { onFailure: 'keep', createdBy: 'migration' })).rejects.toThrow('disk full');
    await advance(300);
    expect(await get('/')).toMatchObject({ status: 503 });
    const [window] = maintenance.status().windows.active;
    expect(window).toMatchObject({ createdBy: 'migration', endsAt: null });
    // A plain window by now: it has no owner that would end it.
    await maintenance.enable({ message: 'It takes longer' });
    expect(maintenance.status().windows.active).toMatchObject([{ id: window!.id, message: 'It takes longer' }]);
    await maintenance.disable();
    expect(maintenance.isActive()).toBe(false);
  });

  it('ends the window if the work fails, by default', async () => {
    work.mockRejectedValue(new Error('disk full'));
    await expect(maintenance.during(work)).rejects.toThrow('disk full');
    expect(maintenance.isActive()).toBe(false);
  });

  it('does not turn maintenance on again for failed work whose window was turned off', async () => {
    work.mockImplementation(async () => {
      await maintenance.disable();
      throw new Error('disk full');
    });
    await expect(maintenance.during(work, { onFailure: 'keep' })).rejects.toThrow('disk full');
    expect((await readState())?.windows).toEqual([]);
  });

  it.each([
    [{ wait: 'yes' }, /^`wait` must be true or false/],
    [{ timeout: -1 }, /^`timeout` must be a number of milliseconds/],
    [{ onFailure: 'stop' }, /^`onFailure` must be "off" or "keep"/],
  ])('rejects %j', async (options, says) => {
    const failure = maintenance.during(work, options as never);
    await expect(failure).rejects.toThrow(InvalidWindowError);
    await expect(failure).rejects.toThrow(says);
    expect(await storage.read()).toBeNull();
  });
});

describe('whenInactive()', () => {
  it('keeps the process alive', async () => {
    await startApp();
    const folder = mkdtempSync(join(tmpdir(), 'during-'));
    const script = `
      const { NestFactory } = require('@nestjs/core');
      const { MaintenanceModule, MaintenanceService } = require('nestjs-maintenance');
      (async () => {
        const module = MaintenanceModule.forRoot({ storage: process.argv[1] });
        const app = await NestFactory.createApplicationContext(module, { logger: false });
        const maintenance = app.get(MaintenanceService);
        await maintenance.enable({ endsAt: new Date(Date.now() + 500) });
        await maintenance.whenInactive();
        console.log(maintenance.isActive());
        await app.close();
      })();
    `;
    const storage = `file:${join(folder, 'state.json')}`;
    expect(execFileSync(process.execPath, ['-e', script, storage], { encoding: 'utf8' })).toBe('false\n');
    rmSync(folder, { recursive: true });
  });

  it('resolves when the window ends or is disabled', async () => {
    await startApp();
    await maintenance.whenInactive();
    await maintenance.enable({ scope: 'payments', endsAt: new Date(START_MS + 60_000) });
    await maintenance.whenInactive({ scope: 'orders' });
    const ended: number[] = [];
    const waiting = ['payments', undefined].map((scope) =>
      maintenance.whenInactive({ scope }).then(() => ended.push(clock.now())),
    );
    await advance(59);
    expect(ended).toEqual([]);
    await advance(1);
    expect(ended).toEqual([START_MS + 60_000, START_MS + 60_000]);
    await Promise.all(waiting);

    await maintenance.enable();
    const other = maintenance.whenInactive({ scope: 'payments' });
    await maintenance.disable();
    await other;
  });

  it('rejects with the reason of its signal', async () => {
    await startApp();
    await maintenance.enable();
    const stop = new AbortController();
    const waiting = maintenance.whenInactive({ signal: stop.signal });
    stop.abort(new Error('enough'));
    await expect(waiting).rejects.toThrow('enough');
    expect(getEventListeners(stop.signal, 'abort')).toEqual([]);
  });

  it('rejects when the application shuts down', async () => {
    await startApp();
    await maintenance.enable();
    const failed = expect(maintenance.whenInactive()).rejects.toThrow(
      new MaintenanceAbortedError('The application shuts down.'),
    );
    await app.close();
    await failed;
  });
});
