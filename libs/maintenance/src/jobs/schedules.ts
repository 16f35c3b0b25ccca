import {
  SCHEDULE_KINDS,
  SCHEDULER_TYPE_METADATA,
  type CronJobInternals,
  type ScheduleExplorer,
} from '../nest-internals.js';
import { findInstancesWith, getMethods, type Class, type Method } from '../utils/discovery.js';
import { MaintenanceOptionsError } from '../errors/maintenance-options.error.js';
import { patchMethod } from '../utils/patch-method.js';
import type { BackgroundDeps } from './background-deps.js';
import { BackgroundTask, shouldRunInMaintenance } from './background-task.js';
import type { PausablePackage } from './pausable-package.interface.js';

/** A function that a timer calls. */
type Tick = (this: unknown, ...args: unknown[]) => unknown;
type CronJob = CronJobInternals<Tick>;
type Explorer = ScheduleExplorer<Method, Tick>;

interface Registry {
  addCronJob(name: string, job: CronJob): void;
  getCronJobs(): Map<string, CronJob>;
}

/**
 * Skips runs of `@Cron()`, `@Interval()` and `@Timeout()`, and of the cron jobs that the application adds to the
 * registry.
 */
export class Schedules implements PausablePackage {
  readonly unit = 'scheduled job';
  #registries: Registry[] = [];
  readonly #methodTasks: BackgroundTask[] = [];
  /** Wrapped callbacks of methods. Crons reach `addCronJob` with them, and must not be wrapped twice. */
  readonly #methodTicks = new WeakSet<Tick>();
  /** The tasks of jobs that the application added, as long as it keeps the jobs. */
  readonly #tasksByJob = new WeakMap<CronJob, BackgroundTask[]>();
  readonly #undo: (() => void)[] = [];

  constructor(private readonly deps: BackgroundDeps) {}

  attach(): void {
    const { discovery } = this.deps;
    const explorers = findInstancesWith<Explorer>(discovery, 'lookupSchedulers', 'wrapFunctionInTryCatchBlocks');
    this.#registries = findInstancesWith<Registry>(discovery, 'addCronJob', 'getCronJobs');
    if (explorers.length === 0 || this.#registries.length === 0) {
      throw new MaintenanceOptionsError(
        'the option `background.pause` does not support this version of @nestjs/schedule. ' +
          'Install version 6 or 12, or remove the option.',
      );
    }
    for (const explorer of explorers) this.#undo.push(this.#wrapMethods(explorer));
    for (const registry of this.#registries) this.#undo.push(this.#wrapJobs(registry));
  }

  countPaused(): number {
    const jobs = this.#registries.flatMap((registry) => [...registry.getCronJobs().values()]);
    const tasks = [...this.#methodTasks, ...jobs.flatMap((job) => this.#tasksByJob.get(job) ?? [])];
    return tasks.filter(({ isPaused }) => isPaused).length;
  }

  detach(): void {
    for (const undo of this.#undo.splice(0).reverse()) undo();
  }

  // The timer's callback is wrapped, not the method: the application may call the method itself at any time.
  #wrapMethods(explorer: Explorer): () => void {
    const wrapTick = (tick: Tick, method: Method, instance: object): Tick =>
      this.#wrapMethodTick(tick, method, instance);
    return patchMethod(
      explorer,
      'wrapFunctionInTryCatchBlocks',
      (wrap) => (method, instance) => wrapTick(wrap(method, instance), method, instance),
    );
  }

  #wrapJobs(registry: Registry): () => void {
    for (const [name, job] of registry.getCronJobs()) this.#addJob(name, job);
    return patchMethod(registry, 'addCronJob', (addCronJob) => (name, job) => {
      addCronJob(name, job);
      this.#addJob(name, job);
    });
  }

  #wrapMethodTick(tick: Tick, method: Method, instance: object): Tick {
    const type = instance.constructor as Class & { name: string };
    const kind = SCHEDULE_KINDS[Reflect.getMetadata(SCHEDULER_TYPE_METADATA, method) as number] ?? 'schedule';
    const name = `${kind} ${type.name}.${findMethodName(method, instance)}`;
    const wrapped = this.#wrapTick(tick, name, type, method, this.#methodTasks);
    this.#methodTicks.add(wrapped);
    return wrapped;
  }

  #addJob(name: string, job: CronJob): void {
    // An object that only looks like a cron job has no callbacks to wrap. A job that the application removed and added
    // again is already wrapped.
    if (!Array.isArray(job._callbacks) || this.#tasksByJob.has(job)) return;
    const tasks: BackgroundTask[] = [];
    job._callbacks = job._callbacks.map((tick) =>
      this.#methodTicks.has(tick) ? tick : this.#wrapTick(tick, `cron ${name}`, job.constructor as Class, tick, tasks),
    );
    this.#tasksByJob.set(job, tasks);
  }

  /** Wraps a callback so that runs are skipped while it is paused, and adds its task to `tasks` unless it is exempt. */
  #wrapTick(tick: Tick, name: string, type: Class, method: Method, tasks: BackgroundTask[]): Tick {
    if (shouldRunInMaintenance(type, method)) return tick;
    const task = new BackgroundTask(this.deps, type, method);
    tasks.push(task);
    return async function (...args) {
      // After a process was suspended, its timers may fire before it has read the state again.
      const fresh = task.awaitFresh();
      if (fresh) await fresh;
      if (!task.isPaused) return task.run(name, () => tick.apply(this, args));
    };
  }
}

// Looked up by the method: another decorator may have replaced it by a function without a name.
function findMethodName(method: Method, instance: object): string {
  const members = instance as Record<string, unknown>;
  return getMethods(Object.getPrototypeOf(instance) as object).find(([name]) => members[name] === method)![0];
}
