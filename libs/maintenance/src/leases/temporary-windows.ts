import type { Observable } from 'rxjs';
import type { ChangeOrigin } from '../core/window-changes.js';
import type { Clock } from '../utils/clock.js';
import type { StateMonitor } from '../core/state-monitor.js';
import { parseTemporaryOptions, type EnableOptions, type WindowFields } from '../core/window-options.js';
import type { StateStorage } from '../storage/state-storage.js';
import type { WriteResult } from '../storage/state-writer.js';
import { WindowWriter } from '../storage/window-writer.js';
import type { LeaseTimes } from './lease-times.js';
import { Lease } from './lease.js';

export interface TemporaryWindowsOptions {
  storage: StateStorage;
  monitor: Pick<StateMonitor, 'state' | 'adopt'>;
  /** Emits whenever the instance goes by something else. */
  changes: Observable<unknown>;
  clock: Clock;
  times: LeaseTimes;
  /** Aborts when the application begins to shut down. */
  shutdown: AbortSignal;
  /** Told that a window could not be closed, and when it ends by itself, in milliseconds since the epoch. */
  onCloseFailed: (id: string, until: number, error: unknown) => void;
}

/** Windows that are open while some work goes on, each of them owned by that work. */
export class TemporaryWindows {
  readonly #running = new Set<Promise<unknown>>();
  readonly #writer: WindowWriter;

  constructor(private readonly options: TemporaryWindowsOptions) {
    this.#writer = new WindowWriter(options.storage, options.clock);
  }

  /** Does the work in a window of its own, and closes that one when the work is done, whether it succeeded or failed. */
  async during<T>(work: (signal: AbortSignal) => Promise<T>, options: EnableOptions): Promise<T> {
    const running = this.#run(work, options);
    this.#running.add(running);
    return running.finally(() => this.#running.delete(running));
  }

  /** Resolves when all work has ended, or has had its time to. */
  async waitForRunning(): Promise<void> {
    let timer: NodeJS.Timeout | undefined;
    // Not the clock's timers, which keep no process alive, and which a test may hold.
    const late = new Promise((resolve) => (timer = setTimeout(resolve, this.options.times.shutdownTimeoutMs)));
    await Promise.race([Promise.allSettled(this.#running), late]);
    clearTimeout(timer);
  }

  async #run<T>(work: (signal: AbortSignal) => Promise<T>, options: EnableOptions): Promise<T> {
    const { shutdown } = this.options;
    shutdown.throwIfAborted();
    const fields = parseTemporaryOptions(options, this.options.clock.now());
    const origin: ChangeOrigin = { by: fields.createdBy, via: 'code' };
    const lease = await this.#startWindow(fields, origin);
    const subscription = this.options.changes.subscribe(() => lease.recheck(this.options.monitor.state));
    const abort = (): void => lease.abort(shutdown.reason as Error);
    shutdown.addEventListener('abort', abort);
    try {
      if (shutdown.aborted) abort();
      lease.signal.throwIfAborted();
      return await work(lease.signal);
    } finally {
      lease.stop();
      subscription.unsubscribe();
      shutdown.removeEventListener('abort', abort);
      await this.#endWindow(lease, origin);
    }
  }

  async #startWindow(fields: WindowFields, origin: ChangeOrigin): Promise<Lease> {
    const { clock, times, storage } = this.options;
    const { change } = this.#adopt(await this.#writer.start({ ...fields, leaseMs: times.durationMs }, origin));
    return new Lease(
      {
        change: async (createChange) => this.#adopt(await this.#writer.change(createChange, origin)).state,
        clock,
        times,
        location: storage.location,
      },
      change!.affected[0]!,
    );
  }

  async #endWindow(lease: Lease, origin: ChangeOrigin): Promise<void> {
    if (lease.isGone) return;
    try {
      this.#adopt(await this.#writer.end({ id: lease.id }, origin));
    } catch (error) {
      this.options.onCloseFailed(lease.id, lease.latestEnd, error);
    }
  }

  #adopt(written: WriteResult): WriteResult {
    this.options.monitor.adopt(written.state);
    return written;
  }
}
