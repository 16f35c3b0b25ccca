import type { Observable } from 'rxjs';
import type { ChangeOrigin } from '../core/window-changes.js';
import type { Clock } from '../utils/clock.js';
import type { StateMonitor } from '../core/state-monitor.js';
import { parseDuringOptions, type DuringOptions } from '../core/during-options.js';
import { keepWindow } from '../core/lease-changes.js';
import type { WindowFields } from '../core/window-options.js';
import type { StateStorage } from '../storage/state-storage.js';
import type { WriteResult } from '../storage/state-writer.js';
import { WindowWriter } from '../storage/window-writer.js';
import type { LeaseTimes } from './lease-times.js';
import { Lease } from './lease.js';

/** The options of {@link TemporaryWindows}. */
export interface TemporaryWindowsOptions {
  storage: StateStorage;
  monitor: Pick<StateMonitor, 'state' | 'adopt'>;
  /** Emits when the instance applies another state. */
  changes: Observable<unknown>;
  clock: Clock;
  times: LeaseTimes;
  /** Aborts when the application starts to shut down. */
  shutdown: AbortSignal;
  /** Called if a window can't be ended, with the time at which its lease runs out, in milliseconds since the epoch. */
  onEndFailed: (id: string, until: number, error: unknown) => void;
  /** Called if a window can't be left on after its work has failed, with the same arguments. */
  onKeepFailed: (id: string, until: number, error: unknown) => void;
}

/** Waits until the instances have drained, and rejects if they have not in time. */
export type WaitForDrain = (timeout: number, signal: AbortSignal) => Promise<void>;

/** Runs work in windows that end with it. Each window belongs to one call of {@link during}. */
export class TemporaryWindows {
  readonly #running = new Set<Promise<unknown>>();
  readonly #writer: WindowWriter;

  constructor(private readonly options: TemporaryWindowsOptions) {
    this.#writer = new WindowWriter(options.storage, options.clock);
  }

  /**
   * Runs work in a window of its own, and ends the window when the work is done, whether it succeeded or failed. With
   * `onFailure: 'keep'`, the window stays on if the work fails.
   *
   * @param waitForDrain - called before the work with `wait: true`
   * @throws the error of the work; {@link InvalidWindowError} or {@link MaintenanceStorageError} if the window
   *   can't start
   */
  async during<T>(
    work: (signal: AbortSignal) => Promise<T>,
    options: DuringOptions,
    waitForDrain: WaitForDrain,
  ): Promise<T> {
    const running = this.#run(work, options, waitForDrain);
    this.#running.add(running);
    return running.finally(() => this.#running.delete(running));
  }

  /** Resolves when all work is done, or after the timeout of a shutdown. */
  async waitForRunning(): Promise<void> {
    let timer: NodeJS.Timeout | undefined;
    // Not a timer of `Clock`: those are unref'ed, and a test may never fire them.
    const timeout = new Promise((resolve) => (timer = setTimeout(resolve, this.options.times.shutdownTimeoutMs)));
    await Promise.race([Promise.allSettled(this.#running), timeout]);
    clearTimeout(timer);
  }

  async #run<T>(
    work: (signal: AbortSignal) => Promise<T>,
    options: DuringOptions,
    waitForDrain: WaitForDrain,
  ): Promise<T> {
    const { shutdown } = this.options;
    shutdown.throwIfAborted();
    const { window: fields, wait, timeout, isKeptOnFailure } = parseDuringOptions(options, this.options.clock.now());
    const origin: ChangeOrigin = { by: fields.createdBy, via: 'code' };
    const lease = await this.#startWindow(fields, origin);
    const subscription = this.options.changes.subscribe(() => lease.recheck(this.options.monitor.state));
    const abort = (): void => lease.abort(shutdown.reason as Error);
    shutdown.addEventListener('abort', abort);
    let hasFailed = false;
    try {
      if (shutdown.aborted) abort();
      lease.signal.throwIfAborted();
      if (wait) await waitForDrain(timeout, lease.signal);
      lease.signal.throwIfAborted();
      hasFailed = true;
      const result = await work(lease.signal);
      hasFailed = false;
      return result;
    } finally {
      lease.stop();
      subscription.unsubscribe();
      shutdown.removeEventListener('abort', abort);
      await (hasFailed && isKeptOnFailure ? this.#keepWindow(lease, origin) : this.#endWindow(lease, origin));
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
      this.options.onEndFailed(lease.id, lease.latestEnd, error);
    }
  }

  async #keepWindow(lease: Lease, origin: ChangeOrigin): Promise<void> {
    if (lease.isGone) return;
    try {
      this.#adopt(await this.#writer.change((windows, now) => keepWindow(windows, lease.id, now), origin));
    } catch (error) {
      this.options.onKeepFailed(lease.id, lease.latestEnd, error);
    }
  }

  #adopt(written: WriteResult): WriteResult {
    this.options.monitor.adopt(written.state);
    return written;
  }
}
