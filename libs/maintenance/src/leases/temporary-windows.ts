import { randomBytes } from 'node:crypto';
import type { Observable } from 'rxjs';
import { endWindows, type ChangeOrigin } from '../core/window-changes.js';
import type { Clock } from '../utils/clock.js';
import { openLeasedWindow } from '../core/lease-changes.js';
import type { MaintenanceState } from '../core/maintenance-state.js';
import type { StoredWindow } from '../core/maintenance-window.js';
import type { StateMonitor } from '../core/state-monitor.js';
import { parseTemporaryOptions, type EnableOptions } from '../core/window-options.js';
import type { StateStorage } from '../storage/state-storage.js';
import { StateWriter } from '../storage/state-writer.js';
import type { LeaseTimes } from './lease-times.js';
import { Lease, type WindowChange } from './lease.js';

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
  readonly #writer: StateWriter;

  constructor(private readonly options: TemporaryWindowsOptions) {
    this.#writer = new StateWriter(options.storage, options.clock);
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
    // What makes no sense is refused whether or not the storage can be read.
    const { createdBy } = parseTemporaryOptions(options, this.options.clock.now());
    const origin: ChangeOrigin = { by: createdBy, via: 'code' };
    const lease = await this.#startWindow(options, origin);
    const reviews = this.options.changes.subscribe(() => lease.recheck(this.options.monitor.state));
    const end = (): void => lease.abort(shutdown.reason as Error);
    shutdown.addEventListener('abort', end);
    try {
      if (shutdown.aborted) end();
      lease.signal.throwIfAborted();
      return await work(lease.signal);
    } finally {
      lease.stop();
      reviews.unsubscribe();
      shutdown.removeEventListener('abort', end);
      await this.#endWindow(lease, origin);
    }
  }

  async #startWindow(options: EnableOptions, origin: ChangeOrigin): Promise<Lease> {
    const { clock, times, storage } = this.options;
    const id = randomBytes(4).toString('hex');
    const change = (work: WindowChange): Promise<MaintenanceState | null> => this.#change(work, origin);
    let opened: StoredWindow | undefined;
    await change((windows, now) => {
      const made = openLeasedWindow(windows, parseTemporaryOptions(options, now), now, id, times.durationMs);
      opened = made.affected[0];
      return made;
    });
    return new Lease({ change, clock, times, location: storage.location }, opened!);
  }

  async #endWindow(lease: Lease, origin: ChangeOrigin): Promise<void> {
    if (lease.isGone) return;
    try {
      await this.#change((windows, now) => endWindows(windows, { id: lease.id }, now), origin);
    } catch (error) {
      this.options.onCloseFailed(lease.id, lease.latestEnd, error);
    }
  }

  async #change(work: WindowChange, origin: ChangeOrigin): Promise<MaintenanceState | null> {
    const { state } = await this.#writer.change(work, origin);
    this.options.monitor.adopt(state);
    return state;
  }
}
