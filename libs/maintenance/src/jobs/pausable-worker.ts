import type { BullMqWorkerInternals } from '../nest-internals.js';
import { patchMethod } from '../utils/patch-method.js';

/** A worker of BullMQ. */
export interface Worker extends BullMqWorkerInternals<Job> {
  readonly name: string;
  pause(doNotWaitActive?: boolean): Promise<void>;
  /** A promise from version 6 on. */
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
 * A worker that rests during windows. Others may pause and resume it as well: it goes on when neither a window nor somebody else keeps
 * it back.
 */
export class PausableWorker {
  #isPaused = false;
  /** Whether it is to be resumed when the window is over. */
  #shouldResumeWhenOver = false;
  readonly #originalPause: Worker['pause'];
  readonly #originalResume: Worker['resume'];
  readonly #undo: (() => void)[];

  /** @param onError - told when the worker can't be paused or resumed */
  constructor(
    private readonly worker: Worker,
    private readonly onError: (error: unknown) => void,
  ) {
    this.#originalPause = worker.pause.bind(worker);
    this.#originalResume = worker.resume.bind(worker);
    this.#undo = [
      patchMethod(worker, 'pause', (pause) => (...args) => {
        this.#shouldResumeWhenOver = false;
        return pause(...args);
      }),
      patchMethod(worker, 'resume', (resume) => () => {
        if (!this.#isPaused) return resume();
        this.#shouldResumeWhenOver = true;
      }),
    ];
  }

  get isPaused(): boolean {
    return this.#isPaused;
  }

  /** Takes no more jobs. One that does not run needs nothing: it may be started by somebody, and is told again then. */
  pause(): void {
    this.#isPaused = true;
    if (!this.worker.isRunning() || this.worker.isPaused()) return;
    this.#shouldResumeWhenOver = true;
    // Not after its jobs are done: whoever drains waits for these. It takes effect before anything is awaited.
    this.#originalPause(true).catch(this.onError);
  }

  /** Goes on, unless somebody else has paused it. */
  resume(): void {
    this.#isPaused = false;
    if (!this.#shouldResumeWhenOver) return;
    this.#shouldResumeWhenOver = false;
    Promise.resolve(this.#originalResume()).catch(this.onError);
  }

  /** Lets go of the worker as it is. */
  restore(): void {
    for (const undo of this.#undo) undo();
  }
}
