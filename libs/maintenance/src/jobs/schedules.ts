import { MetadataScanner } from '@nestjs/core';
import {
  SCHEDULE_KINDS,
  SCHEDULER_TYPE_METADATA,
  type CronJobInternals,
  type ScheduleExplorer,
} from '../nest-internals.js';
import { MaintenanceOptionsError } from '../errors/maintenance-options.error.js';
import { patchMethod } from '../utils/patch-method.js';
import type { BackgroundDeps, PausablePackage } from './background.interfaces.js';
import { BackgroundTask, shouldRunInMaintenance } from './background-task.js';
import { findInstancesWith } from './find-instances.js';

type Class = new () => unknown;
type Method = (...args: never[]) => unknown;
type Tick = (this: unknown, ...args: unknown[]) => unknown;

type CronJob = CronJobInternals<Tick>;
type Explorer = ScheduleExplorer<Method, Tick>;

interface Registry {
  addCronJob(name: string, job: CronJob): void;
  getCronJobs(): Map<string, CronJob>;
}

/** Methods with `@Cron()`, `@Interval()` and `@Timeout()`, and the cron jobs that the application adds to the registry itself. */
export class Schedules implements PausablePackage {
  #registries: Registry[] = [];
  /** Those of methods. */
  readonly #methodTasks: BackgroundTask[] = [];
  /** What timers call for methods: crons come by here once more, when they are added to the registry. */
  readonly #methodTicks = new WeakSet<Tick>();
  /** Those of jobs that the application added, as long as it keeps them. */
  readonly #tasksByJob = new WeakMap<CronJob, BackgroundTask[]>();
  readonly #undo: (() => void)[] = [];

  constructor(private readonly deps: BackgroundDeps) {}

  attach(): void {
    const { modules } = this.deps;
    const explorers = findInstancesWith<Explorer>(modules, 'lookupSchedulers', 'wrapFunctionInTryCatchBlocks');
    this.#registries = findInstancesWith<Registry>(modules, 'addCronJob', 'getCronJobs');
    if (explorers.length === 0 || this.#registries.length === 0) {
      throw new MaintenanceOptionsError(
        'the option `background.pause` knows no way to pause what this version of @nestjs/schedule runs. Install version 6 or 12, or ' +
          'leave the option out.',
      );
    }
    for (const explorer of explorers) this.#undo.push(this.#wrapMethods(explorer));
    for (const registry of this.#registries) this.#undo.push(this.#wrapJobs(registry));
  }

  get pausedSummary(): string | null {
    const jobs = this.#registries.flatMap((registry) => [...registry.getCronJobs().values()]);
    const gates = [...this.#methodTasks, ...jobs.flatMap((job) => this.#tasksByJob.get(job) ?? [])];
    const count = gates.filter(({ isPaused: isShut }) => isShut).length;
    return count === 0 ? null : `${count} scheduled ${count === 1 ? 'job' : 'jobs'}`;
  }

  close(): void {
    for (const undo of this.#undo.splice(0).reverse()) undo();
  }

  // Here and not at the method itself: a call of the application's own is no run.
  #wrapMethods(explorer: Explorer): () => void {
    const gated = (tick: Tick, method: Method, instance: object): Tick => this.#wrapMethodTick(tick, method, instance);
    return patchMethod(
      explorer,
      'wrapFunctionInTryCatchBlocks',
      (wrap) => (method, instance) => gated(wrap(method, instance), method, instance),
    );
  }

  #wrapJobs(registry: Registry): () => void {
    for (const [name, job] of registry.getCronJobs()) this.#addJob(name, job);
    return patchMethod(registry, 'addCronJob', (add) => (name, job) => {
      add(name, job);
      this.#addJob(name, job);
    });
  }

  #wrapMethodTick(tick: Tick, method: Method, instance: object): Tick {
    const type = instance.constructor as Class;
    const kind = SCHEDULE_KINDS[Reflect.getMetadata(SCHEDULER_TYPE_METADATA, method) as number] ?? 'schedule';
    const name = `${kind} ${type.name}.${findMethodName(method, instance)}`;
    const gated = this.#wrapTick(tick, name, type, method, this.#methodTasks);
    this.#methodTicks.add(gated);
    return gated;
  }

  #addJob(name: string, job: CronJob): void {
    // What only looks like a job has no functions that could be gated; one that was taken out and put in again has been here.
    if (!Array.isArray(job._callbacks) || this.#tasksByJob.has(job)) return;
    const gates: BackgroundTask[] = [];
    job._callbacks = job._callbacks.map((tick) =>
      this.#methodTicks.has(tick) ? tick : this.#wrapTick(tick, `cron ${name}`, job.constructor as Class, tick, gates),
    );
    this.#tasksByJob.set(job, gates);
  }

  #wrapTick(tick: Tick, name: string, type: Class, method: Method, gates: BackgroundTask[]): Tick {
    if (shouldRunInMaintenance(type, method)) return tick;
    const gate = new BackgroundTask(this.deps, type, method);
    gates.push(gate);
    return async function (...args) {
      // The timers of a process that was suspended fire before it has read the state again.
      const caughtUp = gate.awaitFresh();
      if (caughtUp) await caughtUp;
      if (!gate.isPaused) return gate.run(name, () => tick.apply(this, args));
    };
  }
}

// Another decorator may have put a function without a name in the method's place.
function findMethodName(method: Method, instance: object): string {
  const members = instance as Record<string, unknown>;
  return new MetadataScanner()
    .getAllMethodNames(Object.getPrototypeOf(instance) as object)
    .find((key) => members[key] === method)!;
}
