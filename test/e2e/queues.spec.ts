import { BullModule, BullRegistrar, OnWorkerEvent, Processor, WorkerHost } from '@nestjs/bullmq';
import { Inject, Injectable, Scope, type INestApplicationContext, type OnModuleInit, type Type } from '@nestjs/common';
import { Queue, type Job } from 'bullmq';
import { MaintenanceScope, MaintenanceService, RunInMaintenance } from 'nestjs-maintenance';
import { ManualClock, MemoryStateStorage } from 'nestjs-maintenance/testing';
import { describeWithRedis, RedisServer } from '../storage/redis-server.js';
import { until } from '../tools/waiting.js';
import { deferred, KINDS, startBackground, type BackgroundSetup, type Kind } from './background-application.js';

/** The jobs that ran, by queue and name, and whether maintenance was on. */
let runs: { job: string; wasOn: boolean }[];
/** The promise that the next job named `slow` waits for. */
let slow: Promise<void>;

abstract class Recorder extends WorkerHost {
  @Inject(MaintenanceService)
  private readonly maintenance!: MaintenanceService;

  async process(job: Job): Promise<string> {
    runs.push({ job: `${job.queueName} ${job.name}`, wasOn: this.maintenance.isActive() });
    if (job.name === 'slow') await slow;
    return 'done';
  }
}

// BullMQ leaves a timer of this length behind if a worker is closed while it checks for stalled jobs.
const SHORT_STALLED_INTERVAL = { stalledInterval: 1_000 };

@Processor('mails', SHORT_STALLED_INTERVAL)
class MailProcessor extends Recorder {}

@MaintenanceScope('payments')
@Processor('payments', SHORT_STALLED_INTERVAL)
class PaymentProcessor extends Recorder {}

@RunInMaintenance()
@Processor('alarms', SHORT_STALLED_INTERVAL)
class AlarmProcessor extends Recorder {}

@Processor('audits', SHORT_STALLED_INTERVAL)
class AuditProcessor extends Recorder {
  @RunInMaintenance()
  override process(job: Job): Promise<string> {
    return super.process(job);
  }
}

@Processor({ name: 'mails', scope: Scope.REQUEST }, SHORT_STALLED_INTERVAL)
class ScopedProcessor extends Recorder {}

@Processor('mails', { ...SHORT_STALLED_INTERVAL, autorun: false })
class IdleProcessor extends Recorder {}

@Processor('mails', { ...SHORT_STALLED_INTERVAL, lockDuration: 1_000 })
class UnluckyProcessor extends Recorder {
  @OnWorkerEvent('active')
  onActive(job: Job): void {
    job.moveToDelayed = () => Promise.reject(new Error('READONLY'));
  }
}

const QUEUES = ['mails', 'payments', 'alarms', 'audits'];

describeWithRedis('BullMQ workers', () => {
  let redis: RedisServer;
  let queues: Record<string, Queue>;
  let app: INestApplicationContext | undefined;
  let maintenance: MaintenanceService;

  beforeAll(async () => (redis = await RedisServer.start()));
  afterAll(() => redis.stop());

  beforeEach(async () => {
    runs = [];
    slow = Promise.resolve();
    app = undefined;
    await redis.ask('FLUSHALL');
    const connection = { port: redis.port };
    queues = Object.fromEntries(QUEUES.map((name) => [name, new Queue(name, { connection })]));
    await Promise.all(Object.values(queues).map((queue) => queue.waitUntilReady()));
  });

  afterEach(async () => {
    await app?.close();
    for (const queue of Object.values(queues)) await queue.close();
  });

  const bull = (manualRegistration = false) => [
    BullModule.forRoot({ connection: { port: redis.port }, extraOptions: { manualRegistration } }),
    BullModule.registerQueue(...QUEUES.map((name) => ({ name }))),
  ];

  async function startApp(kind: Kind, providers: Type[], setup: BackgroundSetup = {}): Promise<void> {
    ({ app, maintenance } = await startBackground(kind, { after: bull(), providers, ...setup }));
  }

  const worker = (processor: Type<WorkerHost> = MailProcessor) => app!.get(processor).worker;

  /** Returns for each job of a queue that ran whether maintenance was on. */
  const getRuns = (queue: string) => runs.filter(({ job }) => job.startsWith(`${queue} `)).map(({ wasOn }) => wasOn);

  async function waitForRuns(queue: string, count: number): Promise<void> {
    await until(`${queue} has run ${count} jobs`, () => getRuns(queue).length >= count);
  }

  const getJobState = async (queue: string, id: string) => queues[queue]!.getJobState(id);

  /** Waits until workers block in Redis for a job: they take the next one even if they are paused meanwhile. */
  async function waitUntilWorkersBlock(count = 1): Promise<void> {
    await until('the workers wait for jobs', async () => {
      const clients = await redis.ask('CLIENT', 'LIST');
      return (clients.match(/ flags=b .*cmd=bzpopmin/g) ?? []).length === count;
    });
  }

  describe.each(KINDS)('%s', (kind) => {
    it('are paused only while maintenance is on', async () => {
      await startApp(kind, [MailProcessor, AlarmProcessor, AuditProcessor]);
      let resumed = 0;
      worker().on('resumed', () => resumed++);
      await queues.mails!.add('first', {});
      await waitForRuns('mails', 1);

      await maintenance.enable();
      expect(worker().isPaused()).toBe(true);
      await queues.mails!.addBulk(['second', 'third', 'fourth'].map((name) => ({ name, data: {} })));
      // Processors with @RunInMaintenance() on the class or on the method keep running.
      for (const queue of ['alarms', 'audits']) {
        for (const count of [1, 2, 3]) {
          await queues[queue]!.add('loud', {});
          await waitForRuns(queue, count);
        }
        expect(getRuns(queue)).toEqual([true, true, true]);
      }
      expect(getRuns('mails')).toEqual([false]);

      await maintenance.disable();
      await waitForRuns('mails', 4);
      expect(getRuns('mails')).toEqual([false, false, false, false]);
      expect(resumed).toBe(1);
    });

    it.each([
      ['before', () => ({ before: bull(), after: [] })],
      ['after', () => ({ after: bull() })],
      ['after, without being global', () => ({ after: bull(), isGlobal: false })],
    ])('take no job if the application starts during a window, with BullModule %s', async (_, order) => {
      // A provider of the root module, which Nest initializes last: workers exist by then and take jobs.
      @Injectable()
      class SlowService implements OnModuleInit {
        async onModuleInit(): Promise<void> {
          await waitForRuns('alarms', 3);
        }
      }
      const storage = new MemoryStateStorage();
      await startApp(kind, [], { options: { storage }, after: [] });
      await maintenance.enable();
      await app!.close();
      await queues.mails!.addBulk([1, 2, 3].map((data) => ({ name: 'early', data, opts: { attempts: 1 } })));
      await queues.alarms!.addBulk([1, 2, 3].map((data) => ({ name: 'loud', data })));

      await startApp(kind, [MailProcessor, AlarmProcessor, SlowService], { ...order(), options: { storage } });
      expect(getRuns('mails')).toEqual([]);
      expect(await queues.mails!.getJobCounts('wait', 'active', 'delayed')).toEqual({ wait: 3, active: 0, delayed: 0 });
      await maintenance.disable();
      await waitForRuns('mails', 3);
      expect(getRuns('mails')).toEqual([false, false, false]);
    });
  });

  it('requeue a job taken during the window without counting an attempt', async () => {
    await startApp('context', [MailProcessor]);
    const taken: string[] = [];
    worker().on('active', ({ id }) => taken.push(id!));
    await waitUntilWorkersBlock();
    await maintenance.enable();
    const { id } = await queues.mails!.add('late', {}, { attempts: 1 });
    await until('the job was requeued', async () => (await getJobState('mails', id!)) === 'delayed');
    expect(taken).toEqual([id]);
    expect(runs).toEqual([]);
    expect(await queues.mails!.getJob(id!)).toMatchObject({ attemptsMade: 0, attemptsStarted: 1, stacktrace: [] });
    expect(await maintenance.instances()).toMatchObject([{ inFlight: 0 }]);

    await maintenance.disable();
    await until('the job is done', async () => (await getJobState('mails', id!)) === 'completed');
    expect(runs).toEqual([{ job: 'mails late', wasOn: false }]);
    expect(await queues.mails!.getJob(id!)).toMatchObject({ attemptsMade: 1, returnvalue: 'done' });
  });

  it('lose no job that cannot be requeued', async () => {
    const warnings: unknown[] = [];
    await startApp('context', [UnluckyProcessor], {
      logger: { log: () => undefined, warn: (line) => warnings.push(line) },
    });
    await waitUntilWorkersBlock();
    await maintenance.enable();
    const { id } = await queues.mails!.add('late', {}, { attempts: 1 });
    await until('the warning is logged', () => warnings.length > 0);
    expect(warnings).toEqual(['Failed to requeue a job of the queue mails: READONLY']);
    expect(await getJobState('mails', id!)).toBe('active');
    await maintenance.disable();
    await until('the job is done', async () => (await getJobState('mails', id!)) === 'completed');
    expect(runs).toEqual([{ job: 'mails late', wasOn: false }]);
  });

  it('block a drain until their job is done', async () => {
    await startApp('context', [MailProcessor]);
    const { promise, resolve } = deferred();
    slow = promise;
    const { id } = await queues.mails!.add('slow', {});
    await waitForRuns('mails', 1);
    await maintenance.enable({ mode: 'read-only' });
    expect(worker().isPaused()).toBe(false);
    await maintenance.enable();
    expect(worker().isPaused()).toBe(true);
    const reported = { inFlight: 1, longest: [{ name: 'job mails:slow', count: 1 }] };
    await until('the job is reported', async () => (await maintenance.instances())[0]!.inFlight === 1);
    expect(await maintenance.instances()).toMatchObject([reported]);
    expect(await maintenance.drained({ timeout: 1 })).toMatchObject({ drained: false });
    resolve();
    expect(await maintenance.drained()).toMatchObject({ drained: true });
    await until('the job is done', async () => (await getJobState('mails', id!)) === 'completed');
  });

  it('no longer block a drain once their job is done, even if Redis is suspended', async () => {
    await startApp('context', [MailProcessor]);
    const { promise, resolve } = deferred();
    slow = promise;
    const { id } = await queues.mails!.add('slow', {});
    await waitForRuns('mails', 1);
    await maintenance.enable();
    await until('the job is reported', async () => (await maintenance.instances())[0]!.inFlight === 1);
    redis.signal('SIGSTOP');
    try {
      resolve();
      expect(await maintenance.drained()).toMatchObject({ drained: true });
    } finally {
      redis.signal('SIGCONT');
    }
    await until('Redis has stored the result', async () => (await getJobState('mails', id!)) === 'completed');
  });

  it('are paused by windows on their scope', async () => {
    await startApp('context', [MailProcessor, PaymentProcessor]);
    await maintenance.enable({ scope: 'payments' });
    expect([worker().isPaused(), worker(PaymentProcessor).isPaused()]).toEqual([false, true]);
    await maintenance.enable();
    expect([worker().isPaused(), worker(PaymentProcessor).isPaused()]).toEqual([true, true]);
    await maintenance.disable({ scope: '*' });
    expect([worker().isPaused(), worker(PaymentProcessor).isPaused()]).toEqual([false, true]);
    await maintenance.disable();
    expect([worker().isPaused(), worker(PaymentProcessor).isPaused()]).toEqual([false, false]);
  });

  it('follow start and end of a planned window', async () => {
    const clock = new ManualClock(Date.now());
    await startApp('context', [MailProcessor], { clock });
    const seen: string[] = [];
    worker().on('paused', () => seen.push('paused'));
    worker().on('resumed', () => seen.push('resumed'));
    const [startsAt, endsAt] = [clock.now() + 60_000, clock.now() + 120_000];
    await maintenance.enable({ startsAt: new Date(startsAt), endsAt: new Date(endsAt) });
    expect(worker().isPaused()).toBe(false);
    await clock.moveTo(startsAt);
    expect(worker().isPaused()).toBe(true);
    await queues.mails!.add('late', {});
    await clock.moveTo(endsAt);
    await waitForRuns('mails', 1);
    expect(getRuns('mails')).toEqual([false]);
    expect(seen).toEqual(['paused', 'resumed']);
  });

  it.each([
    ['enabled: true', { enabled: true }],
    ['a storage that fails', { onStorageFailure: 'on' as const, storage: createFailingStorage() }],
  ])('are paused with %s', async (_, options) => {
    await startApp('context', [MailProcessor], { options });
    expect(worker().isPaused()).toBe(true);
  });

  describe('paused or started by the application', () => {
    it('stay paused after the window if paused before it', async () => {
      await startApp('context', [MailProcessor]);
      await worker().pause();
      await maintenance.enable();
      await maintenance.disable();
      expect(worker().isPaused()).toBe(true);
      worker().resume();
      await queues.mails!.add('late', {});
      await waitForRuns('mails', 1);
    });

    it('stay paused after the window if paused during it', async () => {
      await startApp('context', [MailProcessor]);
      await maintenance.enable();
      await worker().pause();
      await maintenance.disable();
      expect(worker().isPaused()).toBe(true);
      worker().resume();
      await queues.mails!.add('late', {});
      await waitForRuns('mails', 1);
    });

    it('run after the window if resumed during it', async () => {
      await startApp('context', [MailProcessor]);
      await worker().pause();
      await maintenance.enable();
      worker().resume();
      expect(worker().isPaused()).toBe(true);
      await queues.mails!.add('late', {});
      await maintenance.disable();
      await waitForRuns('mails', 1);
      expect(getRuns('mails')).toEqual([false]);
    });

    it('are not started by the end of a window', async () => {
      await startApp('context', [IdleProcessor]);
      await maintenance.enable();
      await maintenance.disable();
      expect(worker(IdleProcessor).isRunning()).toBe(false);
    });

    it('run no job before the end of the window if started during it', async () => {
      await startApp('context', [IdleProcessor]);
      await queues.mails!.add('early', {}, { attempts: 1 });
      await maintenance.enable();
      void worker(IdleProcessor).run();
      await until('its first job was requeued', async () => (await queues.mails!.getDelayedCount()) === 1);
      expect(worker(IdleProcessor).isPaused()).toBe(true);
      await maintenance.disable();
      await waitForRuns('mails', 1);
      expect(getRuns('mails')).toEqual([false]);
    });
  });

  it('are paused with manual registration', async () => {
    await startApp('context', [MailProcessor], { after: bull(true) });
    await maintenance.enable();
    await queues.mails!.add('early', {});
    app!.get(BullRegistrar, { strict: false }).register();
    expect(worker().isPaused()).toBe(true);
    await maintenance.disable();
    await waitForRuns('mails', 1);
    expect(getRuns('mails')).toEqual([false]);
  });

  it('are paused with request-scoped processors', async () => {
    await startApp('context', [ScopedProcessor]);
    await queues.mails!.add('first', {});
    await waitForRuns('mails', 1);
    await waitUntilWorkersBlock();
    await maintenance.enable();
    const { id } = await queues.mails!.add('late', {});
    await until('the job was requeued', async () => (await getJobState('mails', id!)) === 'delayed');
    await maintenance.disable();
    await waitForRuns('mails', 2);
    expect(getRuns('mails')).toEqual([false, false]);
  });

  it('log once that they pause', async () => {
    const lines: string[] = [];
    const logger = { log: (line: unknown) => void (/^Background work/.test(String(line)) && lines.push(String(line))) };
    await startApp('context', [MailProcessor, PaymentProcessor, AlarmProcessor], { logger });
    await maintenance.enable();
    await maintenance.enable({ message: 'Back soon' });
    await maintenance.disable();
    expect(lines).toEqual(['Background work paused: 2 queue workers.', 'Background work resumed.']);
  });

  it('leave no handles or patches behind when the application is closed during a window', async () => {
    const before = process.getActiveResourcesInfo().length;
    await startApp('context', [MailProcessor]);
    const closed = worker();
    await waitUntilWorkersBlock();
    await maintenance.enable();
    expect(['pause', 'resume', 'processFn'].map((name) => Object.hasOwn(closed, name))).toEqual([true, true, true]);
    await app!.close();
    expect(['pause', 'resume'].map((name) => Object.hasOwn(closed, name))).toEqual([false, false]);
    await until('no handle is left', () => process.getActiveResourcesInfo().length <= before);
  });

  it('are not patched unless background.pause is set', async () => {
    await startApp('context', [MailProcessor], { options: { background: { pause: false } } });
    await maintenance.enable();
    expect([worker().isPaused(), Object.hasOwn(worker(), 'pause')]).toEqual([false, false]);
    await queues.mails!.add('first', {});
    await waitForRuns('mails', 1);
    expect(getRuns('mails')).toEqual([true]);
  });

  it('fail at startup without BullModule.registerQueue()', async () => {
    await expect(startBackground('context', { providers: [MailProcessor] })).rejects.toThrow(
      /`background\.pause`.*@Processor\(\).*BullModule\.registerQueue\(\)/,
    );
  });
});

function createFailingStorage(): MemoryStateStorage {
  const storage = new MemoryStateStorage();
  storage.read = () => Promise.reject(new Error('unplugged'));
  return storage;
}
