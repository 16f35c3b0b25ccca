import { BullModule, BullRegistrar, OnWorkerEvent, Processor, WorkerHost } from '@nestjs/bullmq';
import { Inject, Injectable, Scope, type INestApplicationContext, type OnModuleInit, type Type } from '@nestjs/common';
import { Queue, type Job } from 'bullmq';
import { MaintenanceScope, MaintenanceService, RunInMaintenance } from 'nestjs-maintenance';
import { MemoryStateStorage } from 'nestjs-maintenance/testing';
import { describeWithRedis, RedisServer } from '../storage/redis-server.js';
import { until } from '../tools/waiting.js';
import { deferred, KINDS, startBackground, type BackgroundSetup, type Kind } from './background-application.js';

/** The jobs that ran, by queue and name, and whether maintenance was on then. */
let runs: { job: string; wasOn: boolean }[];
/** What the next job named `slow` waits for. */
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

// A worker that is closed while it looks for stalled jobs leaves a timer of this length behind.
const QUICK = { stalledInterval: 1_000 };

@Processor('mails', QUICK)
class MailProcessor extends Recorder {}

@MaintenanceScope('payments')
@Processor('payments', QUICK)
class PaymentProcessor extends Recorder {}

@RunInMaintenance()
@Processor('alarms', QUICK)
class AlarmProcessor extends Recorder {}

@Processor('audits', QUICK)
class AuditProcessor extends Recorder {
  @RunInMaintenance()
  override process(job: Job): Promise<string> {
    return super.process(job);
  }
}

@Processor({ name: 'mails', scope: Scope.REQUEST }, QUICK)
class ScopedProcessor extends Recorder {}

@Processor('mails', { ...QUICK, autorun: false })
class IdleProcessor extends Recorder {}

@Processor('mails', { ...QUICK, lockDuration: 1_000 })
class UnluckyProcessor extends Recorder {
  @OnWorkerEvent('active')
  taken(job: Job): void {
    job.moveToDelayed = () => Promise.reject(new Error('READONLY'));
  }
}

const QUEUES = ['mails', 'payments', 'alarms', 'audits'];

describeWithRedis('queues', () => {
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

  async function boot(kind: Kind, providers: Type[], setup: BackgroundSetup = {}): Promise<void> {
    ({ app, maintenance } = await startBackground(kind, { after: bull(), providers, ...setup }));
  }

  const worker = (processor: Type<WorkerHost> = MailProcessor) => app!.get(processor).worker;

  /** Which jobs of a queue ran, and whether maintenance was on. */
  const runsOf = (queue: string) => runs.filter(({ job }) => job.startsWith(`${queue} `)).map(({ wasOn }) => wasOn);

  async function hasRun(queue: string, count: number): Promise<void> {
    await until(`${queue} has run ${count} jobs`, () => runsOf(queue).length >= count);
  }

  const stateOf = async (queue: string, id: string) => queues[queue]!.getJobState(id);

  /** The worker waits in Redis for a job, and so gets the next one whatever is said to it meanwhile. */
  async function waitsForJob(count = 1): Promise<void> {
    await until('the workers wait for jobs', async () => {
      const clients = await redis.ask('CLIENT', 'LIST');
      return (clients.match(/ flags=b .*cmd=bzpopmin/g) ?? []).length === count;
    });
  }

  describe.each(KINDS)('%s', (kind) => {
    it('pauses the workers while maintenance is on, and only then', async () => {
      await boot(kind, [MailProcessor, AlarmProcessor, AuditProcessor]);
      let resumed = 0;
      worker().on('resumed', () => resumed++);
      await queues.mails!.add('first', {});
      await hasRun('mails', 1);

      await maintenance.enable();
      expect(worker().isPaused()).toBe(true);
      await queues.mails!.addBulk(['second', 'third', 'fourth'].map((name) => ({ name, data: {} })));
      // Those with @RunInMaintenance() go on, on the class as on the method.
      for (const queue of ['alarms', 'audits']) {
        for (const count of [1, 2, 3]) {
          await queues[queue]!.add('loud', {});
          await hasRun(queue, count);
        }
        expect(runsOf(queue)).toEqual([true, true, true]);
      }
      expect(runsOf('mails')).toEqual([false]);

      await maintenance.disable();
      await hasRun('mails', 4);
      expect(runsOf('mails')).toEqual([false, false, false, false]);
      expect(resumed).toBe(1);
    });

    it.each([
      ['before', () => ({ before: bull(), after: [] })],
      ['after', () => ({ after: bull() })],
      ['after, without being global', () => ({ after: bull(), isGlobal: false })],
    ])('boots in the middle of a window without taking a job, with BullModule %s', async (_, order) => {
      // Of the root module, which Nest initializes last: workers exist by then, and take what they can get.
      @Injectable()
      class SlowService implements OnModuleInit {
        async onModuleInit(): Promise<void> {
          await hasRun('alarms', 3);
        }
      }
      const storage = new MemoryStateStorage();
      await boot(kind, [], { options: { storage }, after: [] });
      await maintenance.enable();
      await app!.close();
      await queues.mails!.addBulk([1, 2, 3].map((data) => ({ name: 'early', data, opts: { attempts: 1 } })));
      await queues.alarms!.addBulk([1, 2, 3].map((data) => ({ name: 'loud', data })));

      await boot(kind, [MailProcessor, AlarmProcessor, SlowService], { ...order(), options: { storage } });
      expect(runsOf('mails')).toEqual([]);
      expect(await queues.mails!.getJobCounts('wait', 'active', 'delayed')).toEqual({ wait: 3, active: 0, delayed: 0 });
      await maintenance.disable();
      await hasRun('mails', 3);
      expect(runsOf('mails')).toEqual([false, false, false]);
    });
  });

  it('puts a job back that slips through, without costing it an attempt', async () => {
    await boot('context', [MailProcessor]);
    const taken: string[] = [];
    worker().on('active', ({ id }) => taken.push(id!));
    await waitsForJob();
    await maintenance.enable();
    const { id } = await queues.mails!.add('late', {}, { attempts: 1 });
    await until('the job was put back', async () => (await stateOf('mails', id!)) === 'delayed');
    expect(taken).toEqual([id]);
    expect(runs).toEqual([]);
    expect(await queues.mails!.getJob(id!)).toMatchObject({ attemptsMade: 0, attemptsStarted: 1, stacktrace: [] });
    expect(await maintenance.instances()).toMatchObject([{ inFlight: 0 }]);

    await maintenance.disable();
    await until('the job is done', async () => (await stateOf('mails', id!)) === 'completed');
    expect(runs).toEqual([{ job: 'mails late', wasOn: false }]);
    expect(await queues.mails!.getJob(id!)).toMatchObject({ attemptsMade: 1, returnvalue: 'done' });
  });

  it("loses no job that can't be put back", async () => {
    const warnings: unknown[] = [];
    await boot('context', [UnluckyProcessor], {
      logger: { log: () => undefined, warn: (line) => warnings.push(line) },
    });
    await waitsForJob();
    await maintenance.enable();
    const { id } = await queues.mails!.add('late', {}, { attempts: 1 });
    await until('it is said', () => warnings.length > 0);
    expect(warnings).toEqual(['A job of the queue mails could not be put back at once: READONLY']);
    expect(await stateOf('mails', id!)).toBe('active');
    await maintenance.disable();
    await until('the job is done', async () => (await stateOf('mails', id!)) === 'completed', 15_000);
    expect(runs).toEqual([{ job: 'mails late', wasOn: false }]);
  });

  it('holds a window up until a job is done, and does not wait for it', async () => {
    await boot('context', [MailProcessor]);
    const { promise, resolve } = deferred();
    slow = promise;
    const { id } = await queues.mails!.add('slow', {});
    await hasRun('mails', 1);
    await maintenance.enable({ mode: 'read-only' });
    expect(worker().isPaused()).toBe(false);
    await maintenance.enable();
    expect(worker().isPaused()).toBe(true);
    const held = { inFlight: 1, longest: [{ name: 'job mails:slow', count: 1 }] };
    await until('it is reported', async () => (await maintenance.instances())[0]!.inFlight === 1);
    expect(await maintenance.instances()).toMatchObject([held]);
    expect(await maintenance.drained({ timeout: 1 })).toMatchObject({ drained: false });
    resolve();
    expect(await maintenance.drained()).toMatchObject({ drained: true });
    await until('the job is done', async () => (await stateOf('mails', id!)) === 'completed');
  });

  it('is no longer held up by a job that is done, though Redis is not told', async () => {
    await boot('context', [MailProcessor]);
    const { promise, resolve } = deferred();
    slow = promise;
    const { id } = await queues.mails!.add('slow', {});
    await hasRun('mails', 1);
    await maintenance.enable();
    await until('it is reported', async () => (await maintenance.instances())[0]!.inFlight === 1);
    redis.signal('SIGSTOP');
    try {
      resolve();
      expect(await maintenance.drained()).toMatchObject({ drained: true });
    } finally {
      redis.signal('SIGCONT');
    }
    await until('Redis is told', async () => (await stateOf('mails', id!)) === 'completed');
  });

  it('rests what belongs to the scope of a window', async () => {
    await boot('context', [MailProcessor, PaymentProcessor]);
    await maintenance.enable({ scope: 'payments' });
    expect([worker().isPaused(), worker(PaymentProcessor).isPaused()]).toEqual([false, true]);
    await maintenance.enable();
    expect([worker().isPaused(), worker(PaymentProcessor).isPaused()]).toEqual([true, true]);
    await maintenance.disable({ scope: '*' });
    expect([worker().isPaused(), worker(PaymentProcessor).isPaused()]).toEqual([false, true]);
    await maintenance.disable();
    expect([worker().isPaused(), worker(PaymentProcessor).isPaused()]).toEqual([false, false]);
  });

  it('goes by the clock with a planned window', async () => {
    await boot('context', [MailProcessor]);
    const seen: string[] = [];
    worker().on('paused', () => seen.push('paused'));
    worker().on('resumed', () => seen.push('resumed'));
    const startsAt = new Date(Date.now() + 300).toISOString();
    await maintenance.enable({ startsAt, endsAt: new Date(Date.now() + 1_500).toISOString() });
    expect(worker().isPaused()).toBe(false);
    await until('the window is open', () => worker().isPaused());
    expect(maintenance.isActive()).toBe(true);
    await queues.mails!.add('late', {});
    await hasRun('mails', 1);
    expect(runsOf('mails')).toEqual([false]);
    expect(seen).toEqual(['paused', 'resumed']);
  });

  it.each([
    ['enabled: true', { enabled: true }],
    ['a storage that fails', { onStorageFailure: 'on' as const, storage: failing() }],
  ])('rests for %s', async (_, options) => {
    await boot('context', [MailProcessor], { options });
    expect(worker().isPaused()).toBe(true);
  });

  describe('a worker that the application pauses by itself', () => {
    it('before the window stays paused after it', async () => {
      await boot('context', [MailProcessor]);
      await worker().pause();
      await maintenance.enable();
      await maintenance.disable();
      expect(worker().isPaused()).toBe(true);
      worker().resume();
      await queues.mails!.add('late', {});
      await hasRun('mails', 1);
    });

    it('during the window stays paused after it', async () => {
      await boot('context', [MailProcessor]);
      await maintenance.enable();
      await worker().pause();
      await maintenance.disable();
      expect(worker().isPaused()).toBe(true);
      worker().resume();
      await queues.mails!.add('late', {});
      await hasRun('mails', 1);
    });

    it('and resumes during the window goes on after it', async () => {
      await boot('context', [MailProcessor]);
      await worker().pause();
      await maintenance.enable();
      worker().resume();
      expect(worker().isPaused()).toBe(true);
      await queues.mails!.add('late', {});
      await maintenance.disable();
      await hasRun('mails', 1);
      expect(runsOf('mails')).toEqual([false]);
    });

    it('never to have started it is not started', async () => {
      await boot('context', [IdleProcessor]);
      await maintenance.enable();
      await maintenance.disable();
      expect(worker(IdleProcessor).isRunning()).toBe(false);
    });

    it('to start it during the window runs no job before its end', async () => {
      await boot('context', [IdleProcessor]);
      await queues.mails!.add('early', {}, { attempts: 1 });
      await maintenance.enable();
      void worker(IdleProcessor).run();
      await until('its first job was put back', async () => (await queues.mails!.getDelayedCount()) === 1);
      expect(worker(IdleProcessor).isPaused()).toBe(true);
      await maintenance.disable();
      await hasRun('mails', 1);
      expect(runsOf('mails')).toEqual([false]);
    });
  });

  it('knows workers that are registered by hand', async () => {
    await boot('context', [MailProcessor], { after: bull(true) });
    await maintenance.enable();
    await queues.mails!.add('early', {});
    app!.get(BullRegistrar, { strict: false }).register();
    expect(worker().isPaused()).toBe(true);
    await maintenance.disable();
    await hasRun('mails', 1);
    expect(runsOf('mails')).toEqual([false]);
  });

  it('knows processors that are made for each job', async () => {
    await boot('context', [ScopedProcessor]);
    await queues.mails!.add('first', {});
    await hasRun('mails', 1);
    await waitsForJob();
    await maintenance.enable();
    const { id } = await queues.mails!.add('late', {});
    await until('the job was put back', async () => (await stateOf('mails', id!)) === 'delayed');
    await maintenance.disable();
    await hasRun('mails', 2);
    expect(runsOf('mails')).toEqual([false, false]);
  });

  it('says once that workers rest', async () => {
    const lines: string[] = [];
    const logger = { log: (line: unknown) => void (/^Background work/.test(String(line)) && lines.push(String(line))) };
    await boot('context', [MailProcessor, PaymentProcessor, AlarmProcessor], { logger });
    await maintenance.enable();
    await maintenance.enable({ message: 'Back soon' });
    await maintenance.disable();
    expect(lines).toEqual(['Background work rests: 2 workers of queues.', 'Background work goes on.']);
  });

  it('ends with the application in the middle of a window, and leaves nothing behind', async () => {
    const before = process.getActiveResourcesInfo().length;
    await boot('context', [MailProcessor]);
    const closed = worker();
    await waitsForJob();
    await maintenance.enable();
    expect(['pause', 'resume', 'processFn'].map((name) => Object.hasOwn(closed, name))).toEqual([true, true, true]);
    await app!.close();
    expect(['pause', 'resume'].map((name) => Object.hasOwn(closed, name))).toEqual([false, false]);
    await until('nothing is left', () => process.getActiveResourcesInfo().length <= before);
  });

  it('touches nothing unless it is asked to', async () => {
    await boot('context', [MailProcessor], { options: { background: { pause: false } } });
    await maintenance.enable();
    expect([worker().isPaused(), Object.hasOwn(worker(), 'pause')]).toEqual([false, false]);
    await queues.mails!.add('first', {});
    await hasRun('mails', 1);
    expect(runsOf('mails')).toEqual([true]);
  });

  it('does not boot where nothing makes workers of processors', async () => {
    await expect(startBackground('context', { providers: [MailProcessor] })).rejects.toThrow(
      /`background\.pause`.*@Processor\(\).*BullModule\.registerQueue\(\)/,
    );
  });
});

function failing(): MemoryStateStorage {
  const storage = new MemoryStateStorage();
  storage.read = () => Promise.reject(new Error('unplugged'));
  return storage;
}
