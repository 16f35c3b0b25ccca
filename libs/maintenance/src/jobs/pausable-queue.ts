import type { BullQueueInternals } from '../nest-internals.js';
import { patchMethod } from '../utils/patch-method.js';
import type { BackgroundTask } from './background-task.js';

/** A queue of Bull: the object by which this process adds jobs and takes them. */
export interface Queue extends BullQueueInternals<Job> {
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
 * A queue that takes no jobs in this process during windows. Others may pause and resume it as well: it goes on when neither a window
 * nor the application keeps it back.
 */
export class PausableQueue {
  /** Of everything that processes its jobs; `null` for what is exempt. */
  readonly #tasks = new Set<BackgroundTask | null>();
  readonly #waitingJobs = new Set<() => void>();
  readonly #originalPause: Queue['pause'];
  readonly #originalResume: Queue['resume'];
  #isPaused = false;
  #isPauseApplied = false;
  #isPausedByOthers: boolean;
  #isClosing = false;
  #lastSync: Promise<unknown> = Promise.resolve();

  /** @param onError - told when the queue can't be paused or resumed */
  constructor(
    queue: Queue,
    private readonly onError: (error: unknown) => void,
  ) {
    this.#originalPause = queue.pause.bind(queue);
    this.#originalResume = queue.resume.bind(queue);
    this.#isPausedByOthers = Boolean(queue.paused);
    // A pause connects to Redis again, and Bull handles no rejection where that ends this command: the process would end with it.
    patchMethod(queue, 'setWorkerName', (set) => () => set().catch(() => undefined));
    patchMethod(queue, 'pause', (pause) => (isLocal, ...rest) => {
      if (isLocal) this.#isPausedByOthers = true;
      return pause(isLocal, ...rest);
    });
    patchMethod(queue, 'resume', (resume) => async (isLocal) => {
      if (!isLocal) return resume(isLocal);
      this.#isPausedByOthers = false;
      this.#isPauseApplied = this.#isPaused;
      if (!this.#isPaused) return resume(isLocal);
    });
    patchMethod(queue, 'close', (close) => (...args) => {
      this.#isClosing = true;
      this.#releaseJobs();
      // Closing pauses once more: see review().
      return this.#lastSync.then(() => close(...args));
    });
  }

  get isPaused(): boolean {
    return this.#isPaused;
  }

  /** Adds what processes jobs; `false` if it does not go together with what is there. */
  addTask(gate: BackgroundTask | null): boolean {
    this.#tasks.add(gate);
    this.update();
    return !this.#tasks.has(null) || this.#tasks.size === 1;
  }

  /** Pauses or resumes the queue, as the active windows require now. */
  update(): void {
    const isShut = [...this.#tasks].some((gate) => gate?.isPaused === true);
    if (isShut === this.#isPaused) return;
    this.#isPaused = isShut;
    if (!isShut) this.#releaseJobs();
    // One after the other: Bull pauses by connecting to Redis again, and can't do that twice at a time.
    this.#lastSync = this.#lastSync
      .then(() => this.#syncPause())
      .catch((error) => !this.#isClosing && this.onError(error));
  }

  /**
   * Waits until the window is over, with a job that was on its way when the queue was paused. It stays active meanwhile.
   *
   * @throws Error if the queue is closed before: the job goes back, and it costs no attempt
   */
  async waitUntilResumed(job: Job): Promise<void> {
    // A job may come after the start of a window and before the queue is paused.
    this.update();
    while (this.#isPaused && !this.#isClosing) await new Promise<void>((resolve) => this.#waitingJobs.add(resolve));
    if (!this.#isPaused) return;
    // Bull counts the attempt when it fails.
    job.attemptsMade--;
    throw new Error('Put back until the maintenance is over.');
  }

  async #syncPause(): Promise<void> {
    if (this.#isClosing || this.#isPausedByOthers || this.#isPauseApplied === this.#isPaused) return;
    this.#isPauseApplied = this.#isPaused;
    // Not after its jobs are done: these are what a drain waits for.
    await (this.#isPaused ? this.#originalPause(true, true) : this.#originalResume(true));
  }

  #releaseJobs(): void {
    for (const release of this.#waitingJobs) release();
    this.#waitingJobs.clear();
  }
}
