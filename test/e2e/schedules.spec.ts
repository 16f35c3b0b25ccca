import { Injectable, type INestApplicationContext } from '@nestjs/common';
import { Cron, Interval, ScheduleModule, SchedulerRegistry, Timeout } from '@nestjs/schedule';
import { CronJob } from 'cron';
import { MaintenanceScope, RunInMaintenance, type MaintenanceService } from 'nestjs-maintenance';
import { MemoryStateStorage } from 'nestjs-maintenance/testing';
import { until } from '../tools/waiting.js';
import { KINDS, deferred, startBackground, type BackgroundSetup, type Kind } from './background-application.js';

const SECOND_MS = 1_000;
const NOON_MS = Date.parse('2026-12-01T12:00:00Z');

/** Names of the runs, in order. */
let runs: string[];
/** The promise that the next run of `slow` waits for. */
let slow: Promise<void>;

@Injectable()
class ReportsService {
  @Cron('*/10 * * * * *', { name: 'nightly' })
  nightly(): void {
    runs.push('nightly');
  }

  @Cron('*/10 * * * * *', { name: 'slow' })
  async slow(): Promise<void> {
    runs.push('slow');
    await slow;
    runs.push('slow is done');
  }

  @Cron('*/10 * * * * *', { name: 'fails' })
  async fails(): Promise<void> {
    runs.push('fails');
    throw new Error('as it happens');
  }

  @Interval(10 * SECOND_MS)
  poll(): void {
    runs.push('poll');
  }

  @Timeout(15 * SECOND_MS)
  once(): void {
    runs.push('once');
  }

  @MaintenanceScope('payments')
  @Cron('*/10 * * * * *')
  payOut(): void {
    runs.push('payOut');
  }

  @RunInMaintenance()
  @Interval(10 * SECOND_MS)
  renew(): void {
    runs.push('renew');
  }
}

@RunInMaintenance()
@Injectable()
class WatchService {
  @Cron('*/10 * * * * *')
  watch(): void {
    runs.push('watch');
  }

  @RunInMaintenance(false)
  @Cron('*/10 * * * * *')
  tidy(): void {
    runs.push('tidy');
  }
}

const ALL = ['nightly', 'slow', 'fails', 'poll', 'payOut', 'renew', 'watch', 'tidy'];
const EXEMPT = ['renew', 'watch'];

let app: INestApplicationContext;
let maintenance: MaintenanceService;

async function startApp(kind: Kind, setup: BackgroundSetup = {}): Promise<void> {
  const given = { after: [ScheduleModule.forRoot()], providers: [ReportsService, WatchService], ...setup };
  ({ app, maintenance } = await startBackground(kind, given));
}

beforeEach(() => {
  runs = [];
  slow = Promise.resolve();
});

afterEach(async () => {
  await app?.close();
  jest.useRealTimers();
});

const sort = (names: string[]): string[] => [...names].sort();

describe('scheduled jobs on a controlled clock', () => {
  beforeEach(() => {
    // Nest and promises rely on these.
    jest.useFakeTimers({ now: NOON_MS, doNotFake: ['setImmediate', 'nextTick', 'queueMicrotask', 'performance'] });
  });

  /** Advances the clock and returns the names of the runs. */
  async function runFor(milliseconds: number): Promise<string[]> {
    runs = [];
    await jest.advanceTimersByTimeAsync(milliseconds);
    return sort(runs.filter((name) => name !== 'slow is done'));
  }

  describe.each(KINDS)('%s', (kind) => {
    it('skip runs only while maintenance is on', async () => {
      await startApp(kind);
      expect(await runFor(10 * SECOND_MS)).toEqual(sort(ALL));
      await maintenance.enable();
      expect(await runFor(30 * SECOND_MS)).toEqual(sort([...EXEMPT, ...EXEMPT, ...EXEMPT]));
      await maintenance.disable();
      // A timeout that was due during the window does not run later.
      expect(await runFor(10 * SECOND_MS)).toEqual(sort(ALL));
    });
  });

  it.each([
    ['before', { before: [ScheduleModule.forRoot()], after: [] }],
    ['after', { after: [ScheduleModule.forRoot()] }],
    ['after, without being global', { after: [ScheduleModule.forRoot()], isGlobal: false }],
  ])('are paused if the application starts during a window, with ScheduleModule %s', async (_, setup) => {
    const storage = new MemoryStateStorage();
    await startApp('context', { options: { storage } });
    await maintenance.enable();
    await app.close();
    await startApp('context', { ...setup, options: { storage } });
    expect(await runFor(30 * SECOND_MS)).toEqual(sort([...EXEMPT, ...EXEMPT, ...EXEMPT]));
    await maintenance.disable();
    expect(await runFor(10 * SECOND_MS)).toEqual(sort(ALL));
  });

  it('follow start and end of a planned window', async () => {
    await startApp('context');
    await maintenance.enable({
      startsAt: new Date(NOON_MS + 5 * SECOND_MS).toISOString(),
      endsAt: new Date(NOON_MS + 25 * SECOND_MS).toISOString(),
    });
    expect(await runFor(24 * SECOND_MS)).toEqual(sort([...EXEMPT, ...EXEMPT]));
    expect(await runFor(6 * SECOND_MS)).toEqual(sort(ALL));
  });

  it('are paused by windows on their scope, but not by read-only ones', async () => {
    await startApp('context');
    await maintenance.enable({ scope: 'payments' });
    expect(await runFor(10 * SECOND_MS)).toEqual(sort(ALL.filter((name) => name !== 'payOut')));
    await maintenance.disable();
    await maintenance.enable({ mode: 'read-only' });
    expect(await runFor(10 * SECOND_MS)).toEqual(sort([...ALL, 'once']));
  });

  it.each([
    ['enabled: true', { enabled: true }],
    ['a storage that fails', { onStorageFailure: 'on' as const, storage: createFailingStorage() }],
  ])('are paused with %s', async (_, options) => {
    await startApp('context', { options });
    expect(await runFor(20 * SECOND_MS)).toEqual(sort([...EXEMPT, ...EXEMPT]));
  });

  it('are not paused unless background.pause is set', async () => {
    await startApp('context', { options: { background: {} } });
    await maintenance.enable();
    expect(await runFor(10 * SECOND_MS)).toEqual(sort(ALL));
  });

  it('are paused with MAINTENANCE_BACKGROUND_PAUSE=true', async () => {
    process.env.MAINTENANCE_BACKGROUND_PAUSE = 'true';
    await startApp('context', { options: { background: {} } }).finally(() => {
      delete process.env.MAINTENANCE_BACKGROUND_PAUSE;
    });
    await maintenance.enable();
    expect(await runFor(10 * SECOND_MS)).toEqual(EXEMPT);
  });

  it('can be called directly by the application during a window', async () => {
    await startApp('context');
    await maintenance.enable();
    app.get(ReportsService).nightly();
    expect(runs).toEqual(['nightly']);
  });

  it('block a drain while they run, unless the window does not cover them', async () => {
    await startApp('context');
    const { promise, resolve } = deferred();
    slow = promise;
    await runFor(10 * SECOND_MS);
    expect(runs).toContain('slow');
    const [before] = await maintenance.instances();
    expect(before).toMatchObject({ inFlight: 0 });

    await maintenance.enable({ scope: 'payments' });
    await jest.advanceTimersByTimeAsync(1);
    expect(await maintenance.instances()).toMatchObject([{ inFlight: 0 }]);

    await maintenance.enable();
    await jest.advanceTimersByTimeAsync(1);
    expect(await maintenance.instances()).toMatchObject([
      { inFlight: 1, longest: [{ name: 'cron ReportsService.slow', count: 1 }] },
    ]);
    resolve();
    await jest.advanceTimersByTimeAsync(1);
    expect(runs).toContain('slow is done');
    expect(await maintenance.instances()).toMatchObject([{ inFlight: 0 }]);
  });

  it('are paused if the application adds them to the registry', async () => {
    await startApp('context');
    const registry = app.get(SchedulerRegistry, { strict: false });
    const { promise, resolve } = deferred();
    const job = CronJob.from({
      cronTime: '*/10 * * * * *',
      onTick: async () => {
        runs.push('added');
        await promise;
      },
      start: true,
    });
    const exempt = new CronJob('*/10 * * * * *', RunInMaintenance()(() => runs.push('added, exempt')) as () => void);
    exempt.start();
    registry.addCronJob('added', job);
    registry.addCronJob('exempt', exempt);
    // A job that is removed and added again must be wrapped only once.
    registry.getCronJobs().delete('added');
    registry.addCronJob('added', job);
    const filterAdded = (names: string[]): string[] => names.filter((name) => name.startsWith('added'));

    expect(filterAdded(await runFor(10 * SECOND_MS))).toEqual(['added', 'added, exempt']);
    await maintenance.enable();
    await jest.advanceTimersByTimeAsync(1);
    expect(await maintenance.instances()).toMatchObject([{ inFlight: 1, longest: [{ name: 'cron added', count: 1 }] }]);
    resolve();
    expect(filterAdded(await runFor(10 * SECOND_MS))).toEqual(['added, exempt']);
    await maintenance.disable();
    expect(filterAdded(await runFor(10 * SECOND_MS))).toEqual(['added', 'added, exempt']);
  });

  it('include objects in the registry that only look like a job', async () => {
    await startApp('context');
    const registry = app.get(SchedulerRegistry, { strict: false });
    registry.addCronJob('odd', { fireOnTick: () => undefined, stop: () => undefined } as never);
    await maintenance.enable();
    expect(await runFor(10 * SECOND_MS)).toEqual(EXEMPT);
  });

  it('log once that they pause and once that they resume', async () => {
    const lines: string[] = [];
    const logger = { log: (line: unknown) => void (/^Background work/.test(String(line)) && lines.push(String(line))) };
    await startApp('context', { logger });
    await runFor(10 * SECOND_MS);
    expect(lines).toEqual([]);
    await maintenance.enable({ scope: 'payments' });
    await runFor(30 * SECOND_MS);
    expect(lines).toEqual(['Background work paused: 1 scheduled job.']);
    await maintenance.enable();
    await runFor(30 * SECOND_MS);
    expect(lines.splice(0)).toEqual([expect.anything(), 'Background work paused: 7 scheduled jobs.']);
    await maintenance.disable();
    await runFor(30 * SECOND_MS);
    expect(lines).toEqual(['Background work resumed.']);
  });

  it('leave no timers or patches behind when the application is closed', async () => {
    await startApp('context');
    const registry = app.get(SchedulerRegistry, { strict: false });
    expect(Object.hasOwn(registry, 'addCronJob')).toBe(true);
    await maintenance.enable();
    await app.close();
    expect(jest.getTimerCount()).toBe(0);
    expect(Object.hasOwn(registry, 'addCronJob')).toBe(false);
  });
});

it('pauses scheduled jobs on the real clock', async () => {
  const seen: number[] = [];

  @Injectable()
  class Ticks {
    @Cron('* * * * * *')
    tick(): void {
      seen.push(Date.now());
    }
  }
  await startApp('context', { providers: [Ticks] });
  await until('the job has run', () => seen.length > 0);
  const endsAt = Date.now() + 2_500;
  await maintenance.enable({ endsAt: new Date(endsAt).toISOString() });
  const before = seen.length;
  await until('the job runs again', () => seen.some((at) => at >= endsAt));
  expect(seen.slice(before).filter((at) => at < endsAt)).toEqual([]);
});

it('fails at startup with an unsupported version of @nestjs/schedule', async () => {
  class OtherScheduleModule {}
  const module = { module: OtherScheduleModule, providers: [{ provide: 'SCHEDULE_MODULE_OPTIONS', useValue: {} }] };
  await expect(startBackground('context', { after: [module] })).rejects.toThrow(
    /`background\.pause`.*@nestjs\/schedule.*version 6 or 12/,
  );
});

function createFailingStorage(): MemoryStateStorage {
  const storage = new MemoryStateStorage();
  storage.read = () => Promise.reject(new Error('unplugged'));
  return storage;
}
