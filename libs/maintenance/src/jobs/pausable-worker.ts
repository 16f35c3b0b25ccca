import type { BullMqWorkerInternals } from '../nest-internals.js';
import { patchMethod } from '../utils/patch-method.js';

/** A worker of BullMQ. */
export interface Worker extends BullMqWorkerInternals<Job> {
  readonly name: string;
  pause(doNotWaitActive?: boolean): Promise<void>;
  /** Returns a promise from version 6 on. */
  resume(): unknown;
  isPaused(): boolean;
  isRunning(): boolean;
  once(event: 'closed', listener: () => void): unknown;
}

/** A job of BullMQ. */
export interface Job {
  readonly name: string;
  moveToDelayed(timestamp: number, token?: string): Promise<void>;
}

/**
 * Pauses a worker during full windows. The application may pause and resume the worker as well: it resumes only when
 * neither a window nor the application has paused it.
 */
export class PausableWorker {
  #isPaused = false;
  /** Whether to resume the worker when the window ends. */
  #shouldResume = false;
  readonly #originalPause: Worker['pause'];
  readonly #originalResume: Worker['resume'];
  readonly #undo: (() => void)[];

  /** @param onError - called when the worker can't be paused or resumed */
  constructor(
    private readonly worker: Worker,
    private readonly onError: (error: unknown) => void,
  ) {
    this.#originalPause = worker.pause.bind(worker);
    this.#originalResume = worker.resume.bind(worker);
    this.#undo = [
      patchMethod(worker, 'pause', (pause) => (...args) => {
        this.#shouldResume = false;
        return pause(...args);
      }),
      patchMethod(worker, 'resume', (resume) => () => {
        if (!this.#isPaused) return resume();
        this.#shouldResume = true;
      }),
    ];
  }

  /** Whether a full window covers the worker. */
  get isPaused(): boolean {
    return this.#isPaused;
  }

  /** Pauses the worker, if it runs. One that the application starts later is paused when it fetches its first job. */
  pause(): void {
    this.#isPaused = true;
    if (!this.worker.isRunning() || this.worker.isPaused()) return;
    this.#shouldResume = true;
    // Without waiting for active jobs: a drain waits for them. The pause takes effect before anything is awaited.
    this.#originalPause(true).catch(this.onError);
  }

  /** Resumes the worker, unless the application has paused it. */
  resume(): void {
    this.#isPaused = false;
    if (!this.#shouldResume) return;
    this.#shouldResume = false;
    Promise.resolve(this.#originalResume()).catch(this.onError);
  }

  /** Restores the methods of the worker, and leaves it paused or running as it is. */
  restore(): void {
    for (const undo of this.#undo) undo();
  }
}
