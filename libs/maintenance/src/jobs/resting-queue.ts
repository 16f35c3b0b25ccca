import { replaceMethod } from '../utils/patch-method.js';
import type { Gate } from './gate.js';

/** A queue of Bull: the object by which this process adds jobs and takes them. */
export interface Queue {
  readonly name: string;
  /** The functions that process jobs, by the name of the job; Bull looks one up for each job. */
  readonly handlers: Record<string, (job: Job) => Promise<unknown>>;
  /** There while the queue takes no jobs in this process. */
  readonly paused?: unknown;
  setHandler(name: string, handler: unknown): void;
  pause(isLocal?: boolean, doNotWaitActive?: boolean): Promise<unknown>;
  resume(isLocal?: boolean): Promise<unknown>;
  close(...args: unknown[]): Promise<unknown>;
  /** Called as soon as something processes jobs; not waited for. */
  setWorkerName(): Promise<unknown>;
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
export class RestingQueue {
  /** Of everything that processes its jobs; `null` for what is exempt. */
  readonly #gates = new Set<Gate | null>();
  readonly #held = new Set<() => void>();
  readonly #pause: Queue['pause'];
  readonly #resume: Queue['resume'];
  #rests = false;
  #isPausedHere = false;
  #isPausedByOthers: boolean;
  #isClosing = false;
  #followed: Promise<unknown> = Promise.resolve();

  /** @param failed - told when the queue can't be paused or resumed */
  constructor(
    queue: Queue,
    private readonly failed: (error: unknown) => void,
  ) {
    this.#pause = queue.pause.bind(queue);
    this.#resume = queue.resume.bind(queue);
    this.#isPausedByOthers = Boolean(queue.paused);
    // A pause connects to Redis again, and Bull handles no rejection where that ends this command: the process would end with it.
    replaceMethod(queue, 'setWorkerName', (set) => () => set().catch(() => undefined));
    replaceMethod(queue, 'pause', (pause) => (isLocal, ...rest) => {
      if (isLocal) this.#isPausedByOthers = true;
      return pause(isLocal, ...rest);
    });
    replaceMethod(queue, 'resume', (resume) => async (isLocal) => {
      if (!isLocal) return resume(isLocal);
      this.#isPausedByOthers = false;
      this.#isPausedHere = this.#rests;
      if (!this.#rests) return resume(isLocal);
    });
    replaceMethod(queue, 'close', (close) => (...args) => {
      this.#isClosing = true;
      this.#release();
      // Closing pauses once more: see review().
      return this.#followed.then(() => close(...args));
    });
  }

  get rests(): boolean {
    return this.#rests;
  }

  /** Adds what processes jobs; `false` if it does not go together with what is there. */
  add(gate: Gate | null): boolean {
    this.#gates.add(gate);
    this.review();
    return !this.#gates.has(null) || this.#gates.size === 1;
  }

  /** Pauses or resumes the queue, as the active windows require now. */
  review(): void {
    const isShut = [...this.#gates].some((gate) => gate?.isShut === true);
    if (isShut === this.#rests) return;
    this.#rests = isShut;
    if (!isShut) this.#release();
    // One after the other: Bull pauses by connecting to Redis again, and can't do that twice at a time.
    this.#followed = this.#followed.then(() => this.#follow()).catch((error) => !this.#isClosing && this.failed(error));
  }

  /**
   * Waits until the window is over, with a job that was on its way when the queue was paused. It stays active meanwhile.
   *
   * @throws Error if the queue is closed before: the job goes back, and it costs no attempt
   */
  async admit(job: Job): Promise<void> {
    // A job may come after the start of a window and before the queue is paused.
    this.review();
    while (this.#rests && !this.#isClosing) await new Promise<void>((resolve) => this.#held.add(resolve));
    if (!this.#rests) return;
    // Bull counts the attempt when it fails.
    job.attemptsMade--;
    throw new Error('Put back until the maintenance is over.');
  }

  async #follow(): Promise<void> {
    if (this.#isClosing || this.#isPausedByOthers || this.#isPausedHere === this.#rests) return;
    this.#isPausedHere = this.#rests;
    // Not after its jobs are done: these are what a drain waits for.
    await (this.#rests ? this.#pause(true, true) : this.#resume(true));
  }

  #release(): void {
    for (const release of this.#held) release();
    this.#held.clear();
  }
}
