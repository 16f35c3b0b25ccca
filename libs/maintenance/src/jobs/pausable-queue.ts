import type { BullQueueInternals } from '../nest-internals.js';
import { patchMethod } from '../utils/patch-method.js';
import type { BackgroundTask } from './background-task.js';

/** A queue of Bull: the object with which this process adds and takes jobs. */
export interface Queue extends Omit<BullQueueInternals<Job>, 'processJob'> {
  readonly name: string;
  pause(isLocal?: boolean, doNotWaitActive?: boolean): Promise<unknown>;
  resume(isLocal?: boolean): Promise<unknown>;
  close(...args: unknown[]): Promise<unknown>;
}

/** A job of Bull. */
export interface Job {
  readonly name: string;
  attemptsMade: number;
}

/**
 * Pauses a queue in this process during full windows. The application may pause and resume the queue as well: it
 * resumes only when neither a window nor the application has paused it.
 */
export class PausableQueue {
  /** The tasks of all processors; `null` stands for those that are exempt. */
  readonly #tasks = new Set<BackgroundTask | null>();
  readonly #waitingJobs = new Set<() => void>();
  readonly #originalPause: Queue['pause'];
  readonly #originalResume: Queue['resume'];
  #isPaused = false;
  #isPauseApplied = false;
  #isPausedByApplication: boolean;
  #isClosing = false;
  #lastSync: Promise<unknown> = Promise.resolve();

  /** @param onError - called when the queue can't be paused or resumed */
  constructor(
    queue: Queue,
    private readonly onError: (error: unknown) => void,
  ) {
    this.#originalPause = queue.pause.bind(queue);
    this.#originalResume = queue.resume.bind(queue);
    this.#isPausedByApplication = Boolean(queue.paused);
    // A pause reconnects to Redis, which can abort this command. Bull does not handle the rejection, which would end
    // the process.
    patchMethod(queue, 'setWorkerName', (setWorkerName) => () => setWorkerName().catch(() => undefined));
    patchMethod(queue, 'pause', (pause) => (isLocal, ...rest) => {
      if (isLocal) this.#isPausedByApplication = true;
      return pause(isLocal, ...rest);
    });
    patchMethod(queue, 'resume', (resume) => async (isLocal) => {
      if (!isLocal) return resume(isLocal);
      this.#isPausedByApplication = false;
      this.#isPauseApplied = this.#isPaused;
      if (!this.#isPaused) return resume(isLocal);
    });
    patchMethod(queue, 'close', (close) => (...args) => {
      this.#isClosing = true;
      this.#releaseJobs();
      // Bull pauses the queue when it closes, so it has to wait its turn: see update().
      return this.#lastSync.then(() => close(...args));
    });
  }

  /** Whether a full window covers one of the processors. */
  get isPaused(): boolean {
    return this.#isPaused;
  }

  /** Whether only some processors are exempt, which Bull does not support: it pauses a queue as a whole. */
  get isPartlyExempt(): boolean {
    return this.#tasks.has(null) && this.#tasks.size > 1;
  }

  /**
   * Adds a processor.
   *
   * @param task - `null` if the processor is exempt
   */
  addTask(task: BackgroundTask | null): void {
    this.#tasks.add(task);
    this.update();
  }

  /** Pauses or resumes the queue, as the active windows require now. */
  update(): void {
    const shouldPause = [...this.#tasks].some((task) => task?.isPaused === true);
    if (shouldPause === this.#isPaused) return;
    this.#isPaused = shouldPause;
    if (!shouldPause) this.#releaseJobs();
    // One after the other: Bull reconnects to Redis to pause, and can't do that twice at the same time.
    this.#lastSync = this.#lastSync
      .then(() => this.#syncPause())
      .catch((error) => !this.#isClosing && this.onError(error));
  }

  /**
   * Waits until the queue resumes, with a job that Bull fetched just before the queue was paused. The job stays active
   * meanwhile.
   *
   * @throws Error if the queue is closed before it resumes: the job returns to the queue, and this costs no attempt
   */
  async waitUntilResumed(job: Job): Promise<void> {
    // A window may have started since the last update.
    this.update();
    while (this.#isPaused && !this.#isClosing) await new Promise<void>((resolve) => this.#waitingJobs.add(resolve));
    if (!this.#isPaused) return;
    // Bull counts the attempt when it fails.
    job.attemptsMade--;
    throw new Error('The job returns to the queue until the maintenance window ends.');
  }

  async #syncPause(): Promise<void> {
    if (this.#isClosing || this.#isPausedByApplication || this.#isPauseApplied === this.#isPaused) return;
    this.#isPauseApplied = this.#isPaused;
    // Without waiting for active jobs: a drain waits for them.
    await (this.#isPaused ? this.#originalPause(true, true) : this.#originalResume(true));
  }

  #releaseJobs(): void {
    for (const release of this.#waitingJobs) release();
    this.#waitingJobs.clear();
  }
}
