import { BULLMQ_DELAYED_ERROR_NAME, type BullMqExplorer } from '../nest-internals.js';
import { FailureLog } from '../utils/failure-log.js';
import { patchMethod } from '../utils/patch-method.js';
import { MaintenanceOptionsError } from '../errors/maintenance-options.error.js';
import { toErrorMessage } from '../utils/to-error-message.js';
import type { BackgroundDeps, PausablePackage } from './background.interfaces.js';
import { BackgroundTask, shouldRunInMaintenance } from './background-task.js';
import { findInstancesWith } from './find-instances.js';
import { PausableWorker, type Job, type Worker } from './pausable-worker.js';

/** After how long a job that was put back may be taken by a worker that is not paused, in milliseconds. */
const REQUEUE_DELAY_MS = 1_000;

/** An instance of a class with `@Processor()`. */
interface WorkerHost {
  readonly worker: Worker;
  process: (...args: never[]) => unknown;
}

type Explorer = BullMqExplorer<WorkerHost>;

/** Workers of classes with `@Processor()`. */
export class BullMqWorkers implements PausablePackage {
  readonly #failures: FailureLog;
  readonly #workers = new Map<PausableWorker, BackgroundTask>();
  readonly #undo: (() => void)[] = [];

  constructor(private readonly deps: BackgroundDeps) {
    this.#failures = new FailureLog(deps.clock);
  }

  attach(): void {
    const explorers = findInstancesWith<Explorer>(this.deps.modules, 'registerWorkers', 'handleProcessor');
    if (explorers.length === 0) {
      throw new MaintenanceOptionsError(
        'the option `background.pause` finds classes with @Processor(), but nothing that makes their workers. Import ' +
          'BullModule.registerQueue() of @nestjs/bullmq, version 11 or 12, or leave the option out.',
      );
    }
    for (const explorer of explorers) {
      this.#undo.push(
        patchMethod(explorer, 'handleProcessor', (handle) => (host, ...rest) => {
          handle(host, ...rest);
          // In the same turn, so that the worker can't have taken a job yet.
          this.#addWorker(host);
        }),
      );
    }
  }

  update(): void {
    for (const [worker, gate] of this.#workers) {
      if (gate.isPaused) worker.pause();
      else worker.resume();
    }
  }

  get pausedSummary(): string | null {
    const count = [...this.#workers.keys()].filter(({ isPaused: rests }) => rests).length;
    return count === 0 ? null : `${count} ${count === 1 ? 'worker' : 'workers'} of queues`;
  }

  // Workers are let go of when they are closed: until then, what takes a job has to ask.
  close(): void {
    for (const undo of this.#undo.splice(0).reverse()) undo();
  }

  #addWorker(host: WorkerHost): void {
    const type = host.constructor as new () => unknown;
    if (shouldRunInMaintenance(type, host.process)) return;
    const { worker } = host;
    const gate = new BackgroundTask(this.deps, type, host.process);
    const resting = new PausableWorker(worker, (error) => this.#logFailure(worker, error));
    const undo = patchMethod(worker, 'processFn', (process) => async (job, token, ...rest) => {
      const caughtUp = gate.awaitFresh();
      if (caughtUp) await caughtUp;
      if (!gate.isPaused) return gate.run(`job ${worker.name}:${job.name}`, () => process(job, token, ...rest));
      resting.pause();
      return this.#requeue(job, worker, token);
    });
    this.#workers.set(resting, gate);
    worker.once('closed', () => {
      this.#workers.delete(resting);
      resting.restore();
      undo();
    });
    if (gate.isPaused) resting.pause();
  }

  /** For a job that was on its way when its worker was paused. It costs no attempt. */
  async #requeue(job: Job, worker: Worker, token: string | undefined): Promise<never> {
    try {
      // BullMQ compares this with the time of the machine, not with a clock that a test may move.
      await job.moveToDelayed(Date.now() + REQUEUE_DELAY_MS, token);
    } catch (error) {
      // Then the job stays where it is, and counts as stalled once its lock has run out.
      const kind = `put back ${worker.name}`;
      this.#failures.warn(
        kind,
        () => `A job of the queue ${worker.name} could not be put back at once: ${toErrorMessage(error)}`,
      );
    }
    throw new DelayedError('put back until the maintenance is over');
  }

  #logFailure(worker: Worker, error: unknown): void {
    const kind = `pause ${worker.name}`;
    this.#failures.error(
      kind,
      () => `The worker of the queue ${worker.name} could not be paused or resumed: ${toErrorMessage(error)}`,
    );
  }
}

/** What tells BullMQ that a processor has moved its job by itself: it goes by the name. */
class DelayedError extends Error {
  override readonly name = BULLMQ_DELAYED_ERROR_NAME;
}
