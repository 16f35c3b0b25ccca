import { FailureLog } from '../utils/failure-log.js';
import { replaceMethod } from '../utils/patch-method.js';
import { MaintenanceOptionsError } from '../errors/maintenance-options.error.js';
import { reasonOf } from '../utils/reason-of.js';
import type { BackgroundParts, RestingPackage } from './background-parts.js';
import { Gate, runsInMaintenance } from './gate.js';
import { instancesWith } from './instances.js';
import { RestingWorker, type Job, type Worker } from './resting-worker.js';

/** After how long a job that was put back may be taken by a worker that is not paused, in milliseconds. */
const PUT_BACK_FOR = 1_000;

/** An instance of a class with `@Processor()`. */
interface WorkerHost {
  readonly worker: Worker;
  process: (...args: never[]) => unknown;
}

/** What makes a worker for each processor: at boot, or when the application calls `BullRegistrar.register()`. */
interface Explorer {
  registerWorkers(): void;
  handleProcessor(host: WorkerHost, ...rest: unknown[]): void;
}

/** Workers of classes with `@Processor()`. */
export class Queues implements RestingPackage {
  readonly #failures: FailureLog;
  readonly #workers = new Map<RestingWorker, Gate>();
  readonly #undo: (() => void)[] = [];

  constructor(private readonly parts: BackgroundParts) {
    this.#failures = new FailureLog(parts.clock);
  }

  attach(): void {
    const explorers = instancesWith<Explorer>(this.parts.modules, 'registerWorkers', 'handleProcessor');
    if (explorers.length === 0) {
      throw new MaintenanceOptionsError(
        'the option `background.pause` finds classes with @Processor(), but nothing that makes their workers. Import ' +
          'BullModule.registerQueue() of @nestjs/bullmq, version 11 or 12, or leave the option out.',
      );
    }
    for (const explorer of explorers) {
      this.#undo.push(
        replaceMethod(explorer, 'handleProcessor', (handle) => (host, ...rest) => {
          handle(host, ...rest);
          // In the same turn, so that the worker can't have taken a job yet.
          this.#adopt(host);
        }),
      );
    }
  }

  review(): void {
    for (const [worker, gate] of this.#workers) {
      if (gate.isShut) worker.rest();
      else worker.wake();
    }
  }

  get resting(): string | null {
    const count = [...this.#workers.keys()].filter(({ rests }) => rests).length;
    return count === 0 ? null : `${count} ${count === 1 ? 'worker' : 'workers'} of queues`;
  }

  // Workers are let go of when they are closed: until then, what takes a job has to ask.
  close(): void {
    for (const undo of this.#undo.splice(0).reverse()) undo();
  }

  #adopt(host: WorkerHost): void {
    const type = host.constructor as new () => unknown;
    if (runsInMaintenance(type, host.process)) return;
    const { worker } = host;
    const gate = new Gate(this.parts, type, host.process);
    const resting = new RestingWorker(worker, (error) => this.#failed(worker, error));
    const undo = replaceMethod(worker, 'processFn', (process) => async (job, token, ...rest) => {
      const caughtUp = gate.awaitFresh();
      if (caughtUp) await caughtUp;
      if (!gate.isShut) return gate.pass(`job ${worker.name}:${job.name}`, () => process(job, token, ...rest));
      resting.rest();
      return this.#putBack(job, worker, token);
    });
    this.#workers.set(resting, gate);
    worker.once('closed', () => {
      this.#workers.delete(resting);
      resting.release();
      undo();
    });
    if (gate.isShut) resting.rest();
  }

  /** For a job that was on its way when its worker was paused. It costs no attempt. */
  async #putBack(job: Job, worker: Worker, token: string | undefined): Promise<never> {
    try {
      // BullMQ compares this with the time of the machine, not with a clock that a test may move.
      await job.moveToDelayed(Date.now() + PUT_BACK_FOR, token);
    } catch (error) {
      // Then the job stays where it is, and counts as stalled once its lock has run out.
      const kind = `put back ${worker.name}`;
      this.#failures.warn(
        kind,
        () => `A job of the queue ${worker.name} could not be put back at once: ${reasonOf(error)}`,
      );
    }
    throw new DelayedError('put back until the maintenance is over');
  }

  #failed(worker: Worker, error: unknown): void {
    const kind = `pause ${worker.name}`;
    this.#failures.error(
      kind,
      () => `The worker of the queue ${worker.name} could not be paused or resumed: ${reasonOf(error)}`,
    );
  }
}

/** What tells BullMQ that a processor has moved its job by itself: it goes by the name. */
class DelayedError extends Error {
  override readonly name = 'DelayedError';
}
