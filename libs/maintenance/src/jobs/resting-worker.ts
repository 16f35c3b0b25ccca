import { replaceMethod } from '../utils/patch-method.js';

/** A worker of BullMQ. */
export interface Worker {
  readonly name: string;
  processFn: (job: Job, token?: string, ...rest: unknown[]) => Promise<unknown>;
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
export class RestingWorker {
  #rests = false;
  /** Whether it is to be resumed when the window is over. */
  #isOwed = false;
  readonly #pause: Worker['pause'];
  readonly #resume: Worker['resume'];
  readonly #undo: (() => void)[];

  /** @param failed - told when the worker can't be paused or resumed */
  constructor(
    private readonly worker: Worker,
    private readonly failed: (error: unknown) => void,
  ) {
    this.#pause = worker.pause.bind(worker);
    this.#resume = worker.resume.bind(worker);
    this.#undo = [
      replaceMethod(worker, 'pause', (pause) => (...args) => {
        this.#isOwed = false;
        return pause(...args);
      }),
      replaceMethod(worker, 'resume', (resume) => () => {
        if (!this.#rests) return resume();
        this.#isOwed = true;
      }),
    ];
  }

  get rests(): boolean {
    return this.#rests;
  }

  /** Takes no more jobs. One that does not run needs nothing: it may be started by somebody, and is told again then. */
  rest(): void {
    this.#rests = true;
    if (!this.worker.isRunning() || this.worker.isPaused()) return;
    this.#isOwed = true;
    // Not after its jobs are done: whoever drains waits for these. It takes effect before anything is awaited.
    this.#pause(true).catch(this.failed);
  }

  /** Goes on, unless somebody else has paused it. */
  wake(): void {
    this.#rests = false;
    if (!this.#isOwed) return;
    this.#isOwed = false;
    Promise.resolve(this.#resume()).catch(this.failed);
  }

  /** Lets go of the worker as it is. */
  release(): void {
    for (const undo of this.#undo) undo();
  }
}
