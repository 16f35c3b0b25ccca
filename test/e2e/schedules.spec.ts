import { Injectable, type INestApplicationContext } from '@nestjs/common';
import { Cron, Interval, ScheduleModule, SchedulerRegistry, Timeout } from '@nestjs/schedule';
import { CronJob } from 'cron';
import { MaintenanceScope, RunInMaintenance, type MaintenanceService } from 'nestjs-maintenance';
import { MemoryStateStorage } from 'nestjs-maintenance/testing';
import { until } from '../tools/waiting.js';
import { KINDS, deferred, startBackground, type BackgroundSetup, type Kind } from './background-application.js';

const SECOND = 1_000;
const NOON = Date.parse('2026-12-01T12:00:00Z');

/** What ran, in order. */
let runs: string[];
/** What the next run of `slow` waits for. */
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

  @Interval(10 * SECOND)
  poll(): void {
    runs.push('poll');
  }

  @Timeout(15 * SECOND)
  once(): void {
    runs.push('once');
  }

  @MaintenanceScope('payments')
  @Cron('*/10 * * * * *')
  payOut(): void {
    runs.push('payOut');
  }

  @RunInMaintenance()
  @Interval(10 * SECOND)
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

async function boot(kind: Kind, setup: BackgroundSetup = {}): Promise<void> {
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

const sorted = (names: string[]): string[] => [...names].sort();

describe('on a controlled clock', () => {
  beforeEach(() => {
    // What Nest and promises wait with stays real.
    jest.useFakeTimers({ now: NOON, doNotFake: ['setImmediate', 'nextTick', 'queueMicrotask', 'performance'] });
  });

  /** What runs when so much time goes by. */
  async function during(milliseconds: number): Promise<string[]> {
    runs = [];
    await jest.advanceTimersByTimeAsync(milliseconds);
    return sorted(runs.filter((name) => name !== 'slow is done'));
  }

  describe.each(KINDS)('%s', (kind) => {
    it('skips runs while maintenance is on, and only then', async () => {
      await boot(kind);
      expect(await during(10 * SECOND)).toEqual(sorted(ALL));
      await maintenance.enable();
      expect(await during(30 * SECOND)).toEqual(sorted([...EXEMPT, ...EXEMPT, ...EXEMPT]));
      await maintenance.disable();
      // A timeout that was due meanwhile does not come any more.
      expect(await during(10 * SECOND)).toEqual(sorted(ALL));
    });
  });

  it.each([
    ['before', { before: [ScheduleModule.forRoot()], after: [] }],
    ['after', { after: [ScheduleModule.forRoot()] }],
    ['after, without being global', { after: [ScheduleModule.forRoot()], isGlobal: false }],
  ])('boots in the middle of a window, with ScheduleModule %s', async (_, setup) => {
    const storage = new MemoryStateStorage();
    await boot('context', { options: { storage } });
    await maintenance.enable();
    await app.close();
    await boot('context', { ...setup, options: { storage } });
    expect(await during(30 * SECOND)).toEqual(sorted([...EXEMPT, ...EXEMPT, ...EXEMPT]));
    await maintenance.disable();
    expect(await during(10 * SECOND)).toEqual(sorted(ALL));
  });

  it('goes by the clock with a planned window', async () => {
    await boot('context');
    await maintenance.enable({
      startsAt: new Date(NOON + 5 * SECOND).toISOString(),
      endsAt: new Date(NOON + 25 * SECOND).toISOString(),
    });
    expect(await during(24 * SECOND)).toEqual(sorted([...EXEMPT, ...EXEMPT]));
    expect(await during(6 * SECOND)).toEqual(sorted(ALL));
  });

  it('rests what belongs to the scope of a window, and nothing for read-only ones', async () => {
    await boot('context');
    await maintenance.enable({ scope: 'payments' });
    expect(await during(10 * SECOND)).toEqual(sorted(ALL.filter((name) => name !== 'payOut')));
    await maintenance.disable();
    await maintenance.enable({ mode: 'read-only' });
    expect(await during(10 * SECOND)).toEqual(sorted([...ALL, 'once']));
  });

  it.each([
    ['enabled: true', { enabled: true }],
    ['a storage that fails', { onStorageFailure: 'on' as const, storage: failing() }],
  ])('rests for %s', async (_, options) => {
    await boot('context', { options });
    expect(await during(20 * SECOND)).toEqual(sorted([...EXEMPT, ...EXEMPT]));
  });

  it('does nothing unless it is asked to', async () => {
    await boot('context', { options: { background: {} } });
    await maintenance.enable();
    expect(await during(10 * SECOND)).toEqual(sorted(ALL));
  });

  it('is asked to by the environment', async () => {
    process.env.MAINTENANCE_BACKGROUND_PAUSE = 'true';
    await boot('context', { options: { background: {} } }).finally(() => {
      delete process.env.MAINTENANCE_BACKGROUND_PAUSE;
    });
    await maintenance.enable();
    expect(await during(10 * SECOND)).toEqual(EXEMPT);
  });

  it('leaves alone what the application calls by itself', async () => {
    await boot('context');
    await maintenance.enable();
    app.get(ReportsService).nightly();
    expect(runs).toEqual(['nightly']);
  });

  it('holds a window up until a run is done, and no run that nothing rests', async () => {
    await boot('context');
    const { promise, resolve } = deferred();
    slow = promise;
    await during(10 * SECOND);
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

  it('rests jobs that the application adds by itself, when it likes', async () => {
    await boot('context');
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
    // Whoever takes one out and puts it in again has it once.
    registry.getCronJobs().delete('added');
    registry.addCronJob('added', job);
    const added = (names: string[]): string[] => names.filter((name) => name.startsWith('added'));

    expect(added(await during(10 * SECOND))).toEqual(['added', 'added, exempt']);
    await maintenance.enable();
    await jest.advanceTimersByTimeAsync(1);
    expect(await maintenance.instances()).toMatchObject([{ inFlight: 1, longest: [{ name: 'cron added', count: 1 }] }]);
    resolve();
    expect(added(await during(10 * SECOND))).toEqual(['added, exempt']);
    await maintenance.disable();
    expect(added(await during(10 * SECOND))).toEqual(['added', 'added, exempt']);
  });

  it('takes what only looks like a job as it is', async () => {
    await boot('context');
    const registry = app.get(SchedulerRegistry, { strict: false });
    registry.addCronJob('odd', { fireOnTick: () => undefined, stop: () => undefined } as never);
    await maintenance.enable();
    expect(await during(10 * SECOND)).toEqual(EXEMPT);
  });

  it('says once that it rests and once that it goes on', async () => {
    const lines: string[] = [];
    const logger = { log: (line: unknown) => void (/^Background work/.test(String(line)) && lines.push(String(line))) };
    await boot('context', { logger });
    await during(10 * SECOND);
    expect(lines).toEqual([]);
    await maintenance.enable({ scope: 'payments' });
    await during(30 * SECOND);
    expect(lines).toEqual(['Background work rests: 1 scheduled job.']);
    await maintenance.enable();
    await during(30 * SECOND);
    expect(lines.splice(0)).toEqual([expect.anything(), 'Background work rests: 7 scheduled jobs.']);
    await maintenance.disable();
    await during(30 * SECOND);
    expect(lines).toEqual(['Background work goes on.']);
  });

  it('ends with the application, and leaves nothing behind', async () => {
    await boot('context');
    const registry = app.get(SchedulerRegistry, { strict: false });
    expect(Object.hasOwn(registry, 'addCronJob')).toBe(true);
    await maintenance.enable();
    await app.close();
    expect(jest.getTimerCount()).toBe(0);
    expect(Object.hasOwn(registry, 'addCronJob')).toBe(false);
  });
});

it('keeps to the real clock', async () => {
  const seen: number[] = [];

  @Injectable()
  class Ticks {
    @Cron('* * * * * *')
    tick(): void {
      seen.push(Date.now());
    }
  }
  await boot('context', { providers: [Ticks] });
  await until('it has run', () => seen.length > 0);
  const startsAt = Date.now() + 200;
  const endsAt = startsAt + 2_500;
  await maintenance.enable({ startsAt: new Date(startsAt).toISOString(), endsAt: new Date(endsAt).toISOString() });
  await until('it runs again', () => seen.some((at) => at >= endsAt));
  expect(seen.filter((at) => at >= startsAt && at < endsAt)).toEqual([]);
  expect(seen.filter((at) => at >= endsAt)[0]! - endsAt).toBeLessThan(1_500);
});

it('does not boot with a package that it does not know', async () => {
  class OtherScheduleModule {}
  const module = { module: OtherScheduleModule, providers: [{ provide: 'SCHEDULE_MODULE_OPTIONS', useValue: {} }] };
  await expect(startBackground('context', { after: [module] })).rejects.toThrow(
    /`background\.pause`.*@nestjs\/schedule.*version 6 or 12/,
  );
});

function failing(): MemoryStateStorage {
  const storage = new MemoryStateStorage();
  storage.read = () => Promise.reject(new Error('unplugged'));
  return storage;
}
