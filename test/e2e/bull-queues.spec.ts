import { BullModule, getQueueToken, Process, Processor } from '@nestjs/bull';
import { Inject, Scope, type INestApplicationContext, type Type } from '@nestjs/common';
import Bull, { type Job, type Queue } from 'bull';
import { MaintenanceScope, MaintenanceService, RunInMaintenance } from 'nestjs-maintenance';
import { describeWithRedis, RedisServer } from '../storage/redis-server.js';
import { until } from '../tools/waiting.js';
import { deferred, KINDS, startBackground, type BackgroundSetup, type Kind } from './background-application.js';

/** The jobs that ran, by queue and name, and whether maintenance was on then. */
let runs: { job: string; wasOn: boolean }[];
/** What the next job named `slow` waits for. */
let slow: Promise<void>;

abstract class Recorder {
  @Inject(MaintenanceService)
  private readonly maintenance!: MaintenanceService;

  protected async record(job: Job): Promise<string> {
    runs.push({ job: `${job.queue.name} ${job.name}`, wasOn: this.maintenance.isActive() });
    if (job.name === 'slow') await slow;
    return 'done';
  }
}

@Processor('mails')
class MailProcessor extends Recorder {
  @Process()
  send(job: Job): Promise<string> {
    return this.record(job);
  }

  @Process('slow')
  sendSlowly(job: Job): Promise<string> {
    return this.record(job);
  }
}

@Processor({ name: 'mails', scope: Scope.REQUEST })
class ScopedProcessor extends Recorder {
  @Process()
  send(job: Job): Promise<string> {
    return this.record(job);
  }
}

@MaintenanceScope('payments')
@Processor('payments')
class PaymentProcessor extends Recorder {
  @Process()
  pay(job: Job): Promise<string> {
    return this.record(job);
  }
}

@RunInMaintenance()
@Processor('alarms')
class AlarmProcessor extends Recorder {
  @Process()
  ring(job: Job): Promise<string> {
    return this.record(job);
  }
}

@Processor('audits')
class AuditProcessor extends Recorder {
  @RunInMaintenance()
  @Process('audit')
  audit(job: Job): Promise<string> {
    return this.record(job);
  }
}

@Processor('audits')
class MixedProcessor extends Recorder {
  @RunInMaintenance()
  @Process('audit')
  audit(job: Job): Promise<string> {
    return this.record(job);
  }

  @Process('report')
  report(job: Job): Promise<string> {
    return this.record(job);
  }
}

/** What Bull keeps to itself. */
interface Inner {
  handlers: object;
  bclient: { status: string };
  resumeLocal(): void;
}

const QUEUES = ['mails', 'payments', 'alarms', 'audits'];

describeWithRedis('queues of Bull', () => {
  let redis: RedisServer;
  /** Those of another process, as far as the application knows. */
  let queues: Record<string, Queue>;
  let app: INestApplicationContext | undefined;
  let maintenance: MaintenanceService;
  /** The queues of the application that have said that they are paused. */
  let paused: Set<string>;

  beforeAll(async () => (redis = await RedisServer.start()));
  afterAll(() => redis.stop());

  beforeEach(async () => {
    runs = [];
    paused = new Set();
    slow = Promise.resolve();
    app = undefined;
    await redis.ask('FLUSHALL');
    queues = Object.fromEntries(QUEUES.map((name) => [name, new Bull(name, { redis: { port: redis.port } })]));
    await Promise.all(Object.values(queues).map((queue) => queue.isReady()));
  });

  afterEach(async () => {
    await close();
    for (const queue of Object.values(queues)) await queue.close();
  });

  const bull = (options: object = {}) => [
    BullModule.forRoot({ redis: { port: redis.port } }),
    BullModule.registerQueue(...QUEUES.map((name) => ({ name, ...options }))),
  ];

  async function boot(kind: Kind, providers: Type[], setup: BackgroundSetup = {}): Promise<void> {
    ({ app, maintenance } = await startBackground(kind, { after: bull(), providers, ...setup }));
    for (const name of QUEUES) {
      await own(name).isReady();
      if (!isProcessed(name)) continue;
      await until('the queue is connected', () => inner(name).bclient.status === 'ready');
      own(name).on('paused', () => paused.add(name));
    }
  }

  async function close(): Promise<void> {
    // Bull leaves a rejection behind that nothing handles where it is closed while it connects: at the start, and after a pause.
    for (const name of app ? QUEUES : [])
      if (isProcessed(name)) await until('the queue is connected', () => inner(name).bclient.status === 'ready');
    await app?.close();
    app = undefined;
  }

  const inner = (name = 'mails') => own(name) as unknown as Inner;
  const isProcessed = (name: string) => Object.keys(inner(name).handlers).length > 0;
  const own = (name = 'mails') => app!.get<Queue>(getQueueToken(name), { strict: false });
  const isPaused = (name?: string) => own(name).isPaused(true);

  /** Which jobs of a queue ran, and whether maintenance was on. */
  const runsOf = (queue: string) => runs.filter(({ job }) => job.startsWith(`${queue} `)).map(({ wasOn }) => wasOn);

  async function hasRun(queue: string, count: number): Promise<void> {
    await until(`${queue} has run ${count} jobs`, () => runsOf(queue).length >= count);
  }

  /** How many mails have not run: Bull takes half a second to pause, and holds one that comes meanwhile. */
  async function left(): Promise<number> {
    const { waiting, active } = await queues.mails!.getJobCounts();
    return waiting + active;
  }

  /** Bull says so when it has connected again, half a second after it has begun to pause. */
  async function rests(name = 'mails'): Promise<void> {
    await until('the queue is paused', () => paused.has(name));
    expect(await isPaused(name)).toBe(true);
  }

  async function goesOn(name = 'mails'): Promise<void> {
    await until('the queue goes on', async () => !(await isPaused(name)));
  }

  describe.each(KINDS)('%s', (kind) => {
    it('are paused in this process while maintenance is on, and only then', async () => {
      await boot(kind, [MailProcessor, AlarmProcessor, AuditProcessor]);
      await queues.mails!.add({});
      await hasRun('mails', 1);

      await maintenance.enable();
      await rests();
      for (let count = 0; count < 3; count++) await queues.mails!.add({});
      // Those with @RunInMaintenance() go on, on the class as on the method.
      for (const count of [1, 2, 3]) {
        await queues.alarms!.add({});
        await queues.audits!.add('audit', {});
        await hasRun('alarms', count);
        await hasRun('audits', count);
      }
      expect([runsOf('mails'), runsOf('alarms'), runsOf('audits')]).toEqual([
        [false],
        [true, true, true],
        [true, true, true],
      ]);
      // Other processes take jobs as before.
      expect([await queues.mails!.isPaused(), await left()]).toEqual([false, 3]);

      await maintenance.disable();
      await hasRun('mails', 4);
      expect(runsOf('mails')).toEqual([false, false, false, false]);
    });

    it('start no job where the application starts in a window', async () => {
      await queues.mails!.add({});
      await boot(kind, [MailProcessor], { options: { enabled: true } });
      expect(await isPaused()).toBe(true);
      await close();
      expect([runs, await queues.mails!.getFailedCount()]).toEqual([[], 0]);
      await boot(kind, [MailProcessor]);
      await hasRun('mails', 1);
    });
  });

  it('finish the job that runs, which a drain waits for', async () => {
    await boot('context', [MailProcessor]);
    const { promise, resolve } = deferred();
    slow = promise;
    await queues.mails!.add('slow', {});
    await hasRun('mails', 1);
    await queues.mails!.add({});
    await maintenance.enable();
    const { drained, pending } = await maintenance.drained({ timeout: 0 });
    expect([drained, pending[0]?.instance.longest?.[0]?.name]).toEqual([false, 'job mails:slow']);
    resolve();
    expect(await maintenance.drained()).toMatchObject({ drained: true });
    await until('the job is complete', async () => (await queues.mails!.getCompletedCount()) === 1);
    expect([runsOf('mails'), await left()]).toEqual([[false], 1]);
    await maintenance.disable();
    await hasRun('mails', 2);
  });

  it('are paused with the scope of a window', async () => {
    await boot('context', [MailProcessor, PaymentProcessor]);
    await maintenance.enable({ scope: 'payments' });
    await rests('payments');
    expect(await isPaused('mails')).toBe(false);
    await maintenance.disable();
    await goesOn('payments');
  });

  it('hold a job that was on its way, and give it back where they are closed before the window ends', async () => {
    await boot('context', [MailProcessor]);
    await maintenance.enable();
    await rests();
    // As if Redis had given the job just before.
    inner().resumeLocal();
    await queues.mails!.add({});
    await until('the job is taken', async () => (await queues.mails!.getActiveCount()) === 1);
    expect(await maintenance.drained()).toMatchObject({ drained: true });
    await close();
    expect(runs).toEqual([]);
    const counts = await queues.mails!.getJobCounts();
    expect(counts).toMatchObject({ active: 0, failed: 0, waiting: 1 });
    expect((await queues.mails!.getWaiting())[0]).toMatchObject({ attemptsMade: 0 });
    await boot('context', [MailProcessor]);
    await hasRun('mails', 1);
  });

  it('run a job that was on its way once the window is over', async () => {
    await boot('context', [MailProcessor]);
    await maintenance.enable();
    await rests();
    inner().resumeLocal();
    await queues.mails!.add({});
    await until('the job is taken', async () => (await queues.mails!.getActiveCount()) === 1);
    expect(runs).toEqual([]);
    await maintenance.disable();
    await hasRun('mails', 1);
    expect(runsOf('mails')).toEqual([false]);
  });

  it('stay paused after the window where the application paused them itself', async () => {
    await boot('context', [MailProcessor]);
    await own().pause(true);
    await maintenance.enable();
    await maintenance.disable();
    expect(await isPaused()).toBe(true);
    await own().resume(true);
    await queues.mails!.add({});
    await hasRun('mails', 1);
  });

  it('go on only after the window where the application resumes them in it', async () => {
    await boot('context', [MailProcessor]);
    await own().pause(true);
    await maintenance.enable();
    await own().resume(true);
    await queues.mails!.add({});
    expect(await isPaused()).toBe(true);
    await maintenance.disable();
    await hasRun('mails', 1);
    expect(runsOf('mails')).toEqual([false]);
  });

  it('are paused where a processor is made for each job', async () => {
    await boot('context', [ScopedProcessor]);
    await queues.mails!.add({});
    await hasRun('mails', 1);
    await maintenance.enable();
    await rests();
    await maintenance.disable();
    await queues.mails!.add({});
    await hasRun('mails', 2);
  });

  it('are paused where functions process them', async () => {
    const ran: string[] = [];
    const processors = [(job: Job, done: () => void) => void (ran.push(job.queue.name), done())];
    await boot('context', [], { after: bull({ processors }) });
    await queues.mails!.add({});
    await until('the job has run', () => ran.length === 1);
    await maintenance.enable();
    await rests();
    await queues.mails!.add({});
    await maintenance.disable();
    await until('the job has run', () => ran.length === 2);
  });

  it('are named in the log', async () => {
    const lines: string[] = [];
    const logger = { log: (line: unknown) => void (/^Background work/.test(String(line)) && lines.push(String(line))) };
    await boot('context', [MailProcessor, PaymentProcessor, AlarmProcessor], { logger });
    await maintenance.enable();
    await rests();
    await rests('payments');
    await maintenance.disable();
    await goesOn();
    await goesOn('payments');
    expect(lines).toEqual(['Background work rests: 2 queues of Bull.', 'Background work goes on.']);
  });

  it('are left alone unless it is asked for', async () => {
    await boot('context', [MailProcessor], { options: { background: { pause: false } } });
    await maintenance.enable();
    await queues.mails!.add({});
    await hasRun('mails', 1);
    expect([await isPaused(), Object.hasOwn(own(), 'setHandler')]).toEqual([false, false]);
  });

  it('stop the boot where a part of what processes a queue runs in maintenance', async () => {
    await expect(boot('context', [MixedProcessor])).rejects.toThrow(
      /`background\.pause` finds @RunInMaintenance\(\) on a part of what processes the queue "audits"\./,
    );
  });

  it('stop the boot where nothing registers the processors', async () => {
    await expect(startBackground('context', { providers: [MailProcessor] })).rejects.toThrow(
      /`background\.pause`.*@Processor\(\).*BullModule\.registerQueue\(\)/,
    );
  });
});
