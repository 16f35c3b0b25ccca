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
  MaintenanceAbortedError,
  MaintenanceForcedError,
  MaintenanceModule,
  MaintenanceService,
  type MaintenanceModuleOptions,
  type MaintenanceStatus,
} from 'nestjs-maintenance';
import { ManualClock, MemoryStateStorage } from 'nestjs-maintenance/testing';
import { until } from '../tools/waiting.js';
import { call, type Reply } from './client.js';

const START = Date.parse('2026-12-01T02:00Z');
// Held, as in changes.spec.ts: a channel of an earlier file may yet be collected.
const CHANNEL = channel('nestjs-maintenance:change');

let clock: ManualClock;
let storage: MemoryStateStorage;
let app: INestApplication;
let maintenance: MaintenanceService;
const lines: string[] = [];
const note = (line: unknown, ...rest: unknown[]): void => {
  if (rest.at(-1) === 'Maintenance') lines.push(String(line));
};
const logger: LoggerService = { log: note, warn: note, error: note };

async function startApp(options: MaintenanceModuleOptions = {}): Promise<void> {
  clock = new ManualClock(START);
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

/** Lets time pass as it does: whoever is to be woken is woken, and is done before the next is. */
async function pass(seconds: number): Promise<void> {
  const end = clock.now() + seconds * 1000;
  while (clock.now() < end) await clock.moveTo(Math.min(end, clock.now() + 1000));
}

function get(path: string): Promise<Reply> {
  return call((app.getHttpServer().address() as AddressInfo).port, path);
}

afterEach(() => app.close());

describe('work in a window of its own', () => {
  let signal: AbortSignal | undefined;
  let end: () => void;

  function work(): Promise<void> {
    return maintenance.during(
      (given) =>
        new Promise((resolve, reject) => {
          signal = given;
          end = resolve;
          given.addEventListener('abort', () => reject(given.reason as Error));
        }),
    );
  }

  async function isWorking(): Promise<void> {
    await until('the work begins', () => signal !== undefined);
  }

  beforeEach(() => (signal = undefined));

  it('closes the application as long as it takes, and tells nobody of a lease', async () => {
    await startApp();
    const working = work();
    await isWorking();
    await pass(45);
    expect(await get('/')).toMatchObject({ status: 503, headers: { 'retry-after': '3600' } });
    expect(maintenance.status().windows.active).toMatchObject([{ scope: '*', mode: 'full', endsAt: null }]);
    expect(JSON.stringify(maintenance.status())).not.toContain('lease');
    end();
    await working;
    expect(await get('/')).toMatchObject({ status: 404 });
  });

  it('renews it without a word in the log, on the channel and to subscribers', async () => {
    await startApp();
    const messages: { changes: { action: string }[] }[] = [];
    const seen: MaintenanceStatus[] = [];
    const hear = (message: unknown): void => void messages.push(message as (typeof messages)[number]);
    CHANNEL.subscribe(hear);
    maintenance.changes.subscribe((status) => seen.push(status));
    const working = work();
    await isWorking();
    await pass(300);
    end();
    await working;
    CHANNEL.unsubscribe(hear);
    expect(maintenance.status().revision).toBe(1 + 300 / 20 + 1);
    expect(messages.map(({ changes }) => changes.map(({ action }) => action))).toEqual([['on'], ['off']]);
    expect(seen.map(({ active }) => active)).toEqual([true, false]);
    expect(lines).toEqual([
      expect.stringMatching(
        /^Maintenance is on: everything, .* until its program is done \(revision 1 by somebody via code/,
      ),
      expect.stringMatching(/^Maintenance is off \(revision 17 by somebody via code/),
    ]);
  });

  it('is reported with the revision of the renewal', async () => {
    await startApp();
    const working = work();
    await isWorking();
    await pass(21);
    expect(await maintenance.instances()).toMatchObject([{ revision: 2, windows: [{ id: expect.any(String) }] }]);
    end();
    await working;
  });

  it('counts as drained where another instance has not heard of the last renewal yet', async () => {
    await startApp();
    const working = work();
    await isWorking();
    await pass(1);
    const [report] = await maintenance.instances();
    await pass(20);
    await storage.report({ ...report!, id: 'other', seenAt: new Date(clock.now()).toISOString() });
    expect(await maintenance.drained({ timeout: 0 })).toMatchObject({ drained: true, revision: 1, pending: [] });
    await storage.report({ ...report!, id: 'other', revision: 0, seenAt: new Date(clock.now()).toISOString() });
    expect(await maintenance.drained({ timeout: 0 })).toMatchObject({ drained: false });
    end();
    await working;
  });

  it('says in the log where it stays open', async () => {
    await startApp();
    const working = work();
    await isWorking();
    storage.fail(new Error('the network is down'));
    end();
    await working;
    expect(lines.at(-1)).toMatch(
      /^The maintenance window \w+ could not be closed after its work, so it stays open until 2026-12-01T02:01:00\.000Z: .*the network is down/,
    );
  });

  it('is not begun while `enabled` forces the answer', async () => {
    await startApp({ enabled: true });
    const never = jest.fn();
    await expect(maintenance.during(never)).rejects.toBeInstanceOf(MaintenanceForcedError);
    expect(never).not.toHaveBeenCalled();
  });

  it('is told when the application shuts down, and its window is closed', async () => {
    await startApp();
    const working = work();
    await isWorking();
    const failed = expect(working).rejects.toThrow(new MaintenanceAbortedError('The application shuts down.'));
    await app.close();
    await failed;
    expect((await storage.read())!.state.windows).toEqual([]);
  });
});

describe('waiting until maintenance is off', () => {
  it('keeps a program alive that has nothing else to do', async () => {
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

  it('ends at the moment at which the window does, by the clock or by an operator', async () => {
    await startApp();
    await maintenance.whenInactive();
    await maintenance.enable({ scope: 'payments', endsAt: new Date(START + 60_000) });
    await maintenance.whenInactive({ scope: 'orders' });
    const ended: number[] = [];
    const waiting = ['payments', undefined].map((scope) =>
      maintenance.whenInactive({ scope }).then(() => ended.push(clock.now())),
    );
    await pass(59);
    expect(ended).toEqual([]);
    await pass(1);
    expect(ended).toEqual([START + 60_000, START + 60_000]);
    await Promise.all(waiting);

    await maintenance.enable();
    const other = maintenance.whenInactive({ scope: 'payments' });
    await maintenance.disable();
    await other;
  });

  it('ends with the reason of its signal', async () => {
    await startApp();
    await maintenance.enable();
    const stop = new AbortController();
    const waiting = maintenance.whenInactive({ signal: stop.signal });
    stop.abort(new Error('enough'));
    await expect(waiting).rejects.toThrow('enough');
    expect(getEventListeners(stop.signal, 'abort')).toEqual([]);
  });

  it('ends when the application shuts down', async () => {
    await startApp();
    await maintenance.enable();
    const failed = expect(maintenance.whenInactive()).rejects.toThrow(
      new MaintenanceAbortedError('The application shuts down.'),
    );
    await app.close();
    await failed;
  });
});
