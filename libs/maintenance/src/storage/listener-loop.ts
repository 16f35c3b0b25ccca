/** The settings of a {@link ListenerLoop}. */
export interface ListenerLoopOptions {
  /** Connects, listens, and then calls `onListening`. Resolves when the connection has ended. */
  listen: (onListening: () => void) => Promise<void>;
  /** Ends the connection, if there is one. */
  disconnect: () => void;
  /** Called after a reconnect: what was published meanwhile is lost. */
  onChange: () => void;
  /** {@link ListenerLoop.ready} resolves after so many milliseconds at the latest. */
  readyTimeoutMs: number;
  /** Returns how many milliseconds two attempts are at most apart. */
  getMaxRetryDelayMs: (failures: number) => number;
}

/** Keeps listening for changes over a connection of its own, and reconnects whenever that breaks. */
export class ListenerLoop {
  /** Resolves when listening, or after the first attempt failed. */
  readonly ready: Promise<void>;
  readonly #options: ListenerLoopOptions;
  #resolve: () => void = () => undefined;
  #isReady = false;
  #isClosed = false;
  #endPause: () => void = () => undefined;

  constructor(options: ListenerLoopOptions) {
    this.#options = options;
    this.ready = new Promise((resolve) => (this.#resolve = resolve));
    const timer = setTimeout(() => this.#markReady(), options.readyTimeoutMs);
    void this.ready.then(() => clearTimeout(timer));
    void this.#run();
  }

  get isClosed(): boolean {
    return this.#isClosed;
  }

  /** Ends the loop and its connection. */
  close(): void {
    this.#isClosed = true;
    this.#options.disconnect();
    this.#endPause();
    this.#markReady();
  }

  #markReady(): void {
    this.#isReady = true;
    this.#resolve();
  }

  async #run(): Promise<void> {
    const { listen, disconnect, onChange } = this.#options;
    for (let failures = 0; !this.#isClosed; failures++) {
      const onListening = (): void => {
        failures = 0;
        if (this.#isReady && !this.#isClosed) onChange();
        this.#markReady();
      };
      try {
        await listen(onListening);
      } catch {
        // The polls continue, and report the failure.
      }
      disconnect();
      this.#markReady();
      await this.#pause(failures);
    }
  }

  #pause(failures: number): Promise<void> {
    if (this.#isClosed) return Promise.resolve();
    const longest = this.#options.getMaxRetryDelayMs(failures);
    const delay = Math.min(50 * 2 ** failures, longest) * (0.75 + Math.random() / 4);
    return new Promise((resolve) => {
      // The retry must not keep the process alive.
      const timer = setTimeout(resolve, delay).unref();
      this.#endPause = () => {
        clearTimeout(timer);
        resolve();
      };
    });
  }
}
