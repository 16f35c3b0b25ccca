import { BULLMQ_DELAYED_ERROR_NAME, type BullMqExplorer } from '../nest-internals.js';
import { findInstancesWith, type Class, type Method } from '../utils/discovery.js';
import { FailureLog } from '../utils/failure-log.js';
import { patchMethod } from '../utils/patch-method.js';
import { MaintenanceOptionsError } from '../errors/maintenance-options.error.js';
import { toErrorMessage } from '../utils/to-error-message.js';
import type { BackgroundDeps } from './background-deps.js';
import { BackgroundTask, shouldRunInMaintenance } from './background-task.js';
import type { PausablePackage } from './pausable-package.interface.js';
import { PausableWorker, type Job, type Worker } from './pausable-worker.js';

/** How long a requeued job stays delayed until a worker that is not paused may take it. */
const REQUEUE_DELAY_MS = 1_000;

/** An instance of a class with `@Processor()`. */
interface WorkerHost {
  readonly worker: Worker;
  process: Method;
}

/** Pauses the workers of classes with `@Processor()` of `@nestjs/bullmq`. */
export class BullMqWorkers implements PausablePackage {
  readonly unit = 'queue worker';
  readonly #failures: FailureLog;
  readonly #tasksByWorker = new Map<PausableWorker, BackgroundTask>();
  readonly #undo: (() => void)[] = [];

  constructor(private readonly deps: BackgroundDeps) {
    this.#failures = new FailureLog(deps.clock);
  }

  attach(): void {
    const explorers = findInstancesWith<BullMqExplorer<WorkerHost>>(
      this.deps.discovery,
      'registerWorkers',
      'handleProcessor',
    );
    if (explorers.length === 0) {
      throw new MaintenanceOptionsError(
        'the option `background.pause` found classes with @Processor(), but no provider of @nestjs/bullmq that ' +
          'creates their workers. Import BullModule.registerQueue() of @nestjs/bullmq (supported: 11, 12), or remove ' +
          'the option.',
      );
    }
    for (const explorer of explorers) {
      this.#undo.push(
        patchMethod(explorer, 'handleProcessor', (handleProcessor) => (host, ...rest) => {
          handleProcessor(host, ...rest);
          // In the same turn, so that the worker can't have taken a job yet.
          this.#addWorker(host);
        }),
      );
    }
  }

  update(): void {
    for (const [worker, task] of this.#tasksByWorker) {
      if (task.isPaused) worker.pause();
      else worker.resume();
    }
  }

  countPaused(): number {
    return [...this.#tasksByWorker.keys()].filter(({ isPaused }) => isPaused).length;
  }

  // Workers stay patched until @nestjs/bullmq closes them: they take jobs until then.
  detach(): void {
    for (const undo of this.#undo.splice(0).reverse()) undo();
  }

  #addWorker(host: WorkerHost): void {
    const type = host.constructor as Class;
    if (shouldRunInMaintenance(type, host.process)) return;
    const { worker } = host;
    const task = new BackgroundTask(this.deps, type, host.process);
    const pausable = new PausableWorker(worker, (error) => this.#logFailure(worker, error));
    const undo = patchMethod(worker, 'processFn', (process) => async (job, token, ...rest) => {
      const fresh = task.awaitFresh();
      if (fresh) await fresh;
      if (!task.isPaused) return task.run(`job ${worker.name}:${job.name}`, () => process(job, token, ...rest));
      pausable.pause();
      return this.#requeue(job, worker, token);
    });
    this.#tasksByWorker.set(pausable, task);
    worker.once('closed', () => {
      this.#tasksByWorker.delete(pausable);
      pausable.restore();
      undo();
    });
    if (task.isPaused) pausable.pause();
  }

  /** Delays a job that its worker fetched just before it was paused. It costs no attempt. */
  async #requeue(job: Job, worker: Worker, token: string | undefined): Promise<never> {
    try {
      // BullMQ compares this with the time of the machine, not with a clock that a test may move.
      await job.moveToDelayed(Date.now() + REQUEUE_DELAY_MS, token);
    } catch (error) {
      // The job stays active, and BullMQ treats it as stalled when its lock expires.
      this.#failures.warn(
        `requeue ${worker.name}`,
        () => `Failed to requeue a job of the queue ${worker.name}: ${toErrorMessage(error)}`,
      );
    }
    throw new DelayedError('The job is delayed until the maintenance window ends.');
  }

  #logFailure(worker: Worker, error: unknown): void {
    this.#failures.error(
      `pause ${worker.name}`,
      () => `Failed to pause or resume the worker of the queue ${worker.name}: ${toErrorMessage(error)}`,
    );
  }
}

/** Tells BullMQ that the processor has moved its job itself. BullMQ recognizes the error by its name. */
class DelayedError extends Error {
  override readonly name = BULLMQ_DELAYED_ERROR_NAME;
}
