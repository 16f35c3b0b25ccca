import { BullModule, getQueueToken, Process, Processor } from '@nestjs/bull';
import { Inject, Scope, type INestApplicationContext, type Type } from '@nestjs/common';
import Bull, { type Job, type Queue } from 'bull';
import { MaintenanceScope, MaintenanceService, RunInMaintenance } from 'nestjs-maintenance';
import { describeWithRedis, RedisServer } from '../storage/redis-server.js';
import { until } from '../tools/waiting.js';
import { deferred, KINDS, startBackground, type BackgroundSetup, type Kind } from './background-application.js';
import { waitUntilDrainBlockedBy } from './blocking-handlers.js';

/** The jobs that ran, by queue and name, and whether maintenance was on. */
let runs: { job: string; wasOn: boolean }[];
/** The promise that the next job named `slow` waits for. */
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

/** Private members of Bull's queues. */
interface BullInternals {
  handlers: object;
  bclient: { status: string };
  resumeLocal(): void;
}

const QUEUES = ['mails', 'payments', 'alarms', 'audits'];

describeWithRedis('Bull queues', () => {
  let redis: RedisServer;
  /** Queue objects that do not belong to the application, as those of another process. */
  let queues: Record<string, Queue>;
  let app: INestApplicationContext | undefined;
  let maintenance: MaintenanceService;
  /** Names of the queues of the application that have emitted `paused`. */
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

  async function startApp(kind: Kind, providers: Type[], setup: BackgroundSetup = {}): Promise<void> {
    ({ app, maintenance } = await startBackground(kind, { after: bull(), providers, ...setup }));
    for (const name of QUEUES) {
      await own(name).isReady();
      if (!isProcessed(name)) continue;
      await until('the queue is connected', () => inner(name).bclient.status === 'ready');
      own(name).on('paused', () => paused.add(name));
    }
  }

  async function close(): Promise<void> {
    // Bull causes an unhandled rejection if it is closed while it connects: at the start and after a pause.
    for (const name of app ? QUEUES : [])
      if (isProcessed(name)) await until('the queue is connected', () => inner(name).bclient.status === 'ready');
    await app?.close();
    app = undefined;
  }

  const inner = (name = 'mails') => own(name) as unknown as BullInternals;
  const isProcessed = (name: string) => Object.keys(inner(name).handlers).length > 0;
  const own = (name = 'mails') => app!.get<Queue>(getQueueToken(name), { strict: false });
  const isPaused = (name?: string) => own(name).isPaused(true);

  /** Returns for each job of a queue that ran whether maintenance was on. */
  const getRuns = (queue: string) => runs.filter(({ job }) => job.startsWith(`${queue} `)).map(({ wasOn }) => wasOn);

  async function waitForRuns(queue: string, count: number): Promise<void> {
    await until(`${queue} has run ${count} jobs`, () => getRuns(queue).length >= count);
  }

  /** Returns how many mails have not run. Bull takes half a second to pause and may take a job during that time. */
  async function countPendingMails(): Promise<number> {
    const { waiting, active } = await queues.mails!.getJobCounts();
    return waiting + active;
  }

  /** Waits until the queue is paused. Bull emits the event half a second later, after it has reconnected. */
  async function waitUntilPaused(name = 'mails'): Promise<void> {
    await until('the queue is paused', () => paused.has(name));
    expect(await isPaused(name)).toBe(true);
  }

  async function waitUntilResumed(name = 'mails'): Promise<void> {
    await until('the queue is resumed', async () => !(await isPaused(name)));
  }

  describe.each(KINDS)('%s', (kind) => {
    it('are paused in this process only while maintenance is on', async () => {
      await startApp(kind, [MailProcessor, AlarmProcessor, AuditProcessor]);
      await queues.mails!.add({});
      await waitForRuns('mails', 1);

      await maintenance.enable();
      await waitUntilPaused();
      for (let count = 0; count < 3; count++) await queues.mails!.add({});
      // Processors with @RunInMaintenance() on the class or on the method keep running.
      for (const count of [1, 2, 3]) {
        await queues.alarms!.add({});
        await queues.audits!.add('audit', {});
        await waitForRuns('alarms', count);
        await waitForRuns('audits', count);
      }
      expect([getRuns('mails'), getRuns('alarms'), getRuns('audits')]).toEqual([
        [false],
        [true, true, true],
        [true, true, true],
      ]);
      // The queue is not paused for other processes.
      expect([await queues.mails!.isPaused(), await countPendingMails()]).toEqual([false, 3]);

      await maintenance.disable();
      await waitForRuns('mails', 4);
      expect(getRuns('mails')).toEqual([false, false, false, false]);
    });

    it('run no job if the application starts during a window', async () => {
      await queues.mails!.add({});
      await startApp(kind, [MailProcessor], { options: { enabled: true } });
      expect(await isPaused()).toBe(true);
      await close();
      expect([runs, await queues.mails!.getFailedCount()]).toEqual([[], 0]);
      await startApp(kind, [MailProcessor]);
      await waitForRuns('mails', 1);
    });
  });

  it('block a drain until the running job is done', async () => {
    await startApp('context', [MailProcessor]);
    const { promise, resolve } = deferred();
    slow = promise;
    await queues.mails!.add('slow', {});
    await waitForRuns('mails', 1);
    await queues.mails!.add({});
    await maintenance.enable();
    await waitUntilDrainBlockedBy(maintenance, 'job mails:slow');
    resolve();
    expect(await maintenance.drained()).toMatchObject({ drained: true });
    await until('the job is complete', async () => (await queues.mails!.getCompletedCount()) === 1);
    expect([getRuns('mails'), await countPendingMails()]).toEqual([[false], 1]);
    await maintenance.disable();
    await waitForRuns('mails', 2);
  });

  it('are paused by windows on their scope', async () => {
    await startApp('context', [MailProcessor, PaymentProcessor]);
    await maintenance.enable({ scope: 'payments' });
    await waitUntilPaused('payments');
    expect(await isPaused('mails')).toBe(false);
    await maintenance.disable();
    await waitUntilResumed('payments');
  });

  it('return a job taken during the window when they are closed', async () => {
    await startApp('context', [MailProcessor]);
    await maintenance.enable();
    await waitUntilPaused();
    // Simulates that Redis delivered the job just before the pause.
    inner().resumeLocal();
    await queues.mails!.add({});
    await until('the job is taken', async () => (await queues.mails!.getActiveCount()) === 1);
    expect(await maintenance.drained()).toMatchObject({ drained: true });
    await close();
    expect(runs).toEqual([]);
    const counts = await queues.mails!.getJobCounts();
    expect(counts).toMatchObject({ active: 0, failed: 0, waiting: 1 });
    expect((await queues.mails!.getWaiting())[0]).toMatchObject({ attemptsMade: 0 });
    await startApp('context', [MailProcessor]);
    await waitForRuns('mails', 1);
  });

  it('run a job taken during the window when it ends', async () => {
    await startApp('context', [MailProcessor]);
    await maintenance.enable();
    await waitUntilPaused();
    inner().resumeLocal();
    await queues.mails!.add({});
    await until('the job is taken', async () => (await queues.mails!.getActiveCount()) === 1);
    expect(runs).toEqual([]);
    await maintenance.disable();
    await waitForRuns('mails', 1);
    expect(getRuns('mails')).toEqual([false]);
  });

  it('stay paused after the window if the application paused them', async () => {
    await startApp('context', [MailProcessor]);
    await own().pause(true);
    await maintenance.enable();
    await maintenance.disable();
    expect(await isPaused()).toBe(true);
    await own().resume(true);
    await queues.mails!.add({});
    await waitForRuns('mails', 1);
  });

  it('run after the window if the application resumes them during it', async () => {
    await startApp('context', [MailProcessor]);
    await own().pause(true);
    await maintenance.enable();
    await own().resume(true);
    await queues.mails!.add({});
    expect(await isPaused()).toBe(true);
    await maintenance.disable();
    await waitForRuns('mails', 1);
    expect(getRuns('mails')).toEqual([false]);
  });

  it('are paused with request-scoped processors', async () => {
    await startApp('context', [ScopedProcessor]);
    await queues.mails!.add({});
    await waitForRuns('mails', 1);
    await maintenance.enable();
    await waitUntilPaused();
    await maintenance.disable();
    await queues.mails!.add({});
    await waitForRuns('mails', 2);
  });

  it('are paused with processors that are functions', async () => {
    const ran: string[] = [];
    const processors = [(job: Job, done: () => void) => void (ran.push(job.queue.name), done())];
    await startApp('context', [], { after: bull({ processors }) });
    await queues.mails!.add({});
    await until('the job has run', () => ran.length === 1);
    await maintenance.enable();
    await waitUntilPaused();
    await queues.mails!.add({});
    await maintenance.disable();
    await until('the job has run', () => ran.length === 2);
  });

  it('are logged when they pause and resume', async () => {
    const lines: string[] = [];
    const logger = { log: (line: unknown) => void (/^Background work/.test(String(line)) && lines.push(String(line))) };
    await startApp('context', [MailProcessor, PaymentProcessor, AlarmProcessor], { logger });
    await maintenance.enable();
    await waitUntilPaused();
    await waitUntilPaused('payments');
    await maintenance.disable();
    await waitUntilResumed();
    await waitUntilResumed('payments');
    expect(lines).toEqual(['Background work paused: 2 Bull queues.', 'Background work resumed.']);
  });

  it('are not patched unless background.pause is set', async () => {
    await startApp('context', [MailProcessor], { options: { background: { pause: false } } });
    await maintenance.enable();
    await queues.mails!.add({});
    await waitForRuns('mails', 1);
    expect([await isPaused(), Object.hasOwn(own(), 'setHandler')]).toEqual([false, false]);
  });

  it('fail at startup if only some handlers of a queue have @RunInMaintenance()', async () => {
    // Nest closes nothing of an application that fails to start.
    let created: Queue | undefined;
    class CreatedQueue {
      constructor(@Inject(getQueueToken('audits')) queue: Queue) {
        created = queue;
      }
    }
    const after = [BullModule.forRoot({ redis: { port: redis.port } }), BullModule.registerQueue({ name: 'audits' })];
    await expect(startBackground('context', { after, providers: [MixedProcessor, CreatedQueue] })).rejects.toThrow(
      /`background\.pause` can't pause the queue "audits": only some of its processors have @RunInMaintenance\(\)/,
    );
    const queue = created as unknown as Queue & BullInternals;
    await queue.isReady();
    await until('the queue is connected', () => queue.bclient.status === 'ready');
    await queue.close();
  });

  it('fail at startup without BullModule.registerQueue()', async () => {
    await expect(startBackground('context', { providers: [MailProcessor] })).rejects.toThrow(
      /`background\.pause`.*@Processor\(\).*BullModule\.registerQueue\(\)/,
    );
  });
});
