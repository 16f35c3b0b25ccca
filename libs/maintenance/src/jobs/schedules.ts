import { MetadataScanner } from '@nestjs/core';
import { MaintenanceOptionsError } from '../errors/maintenance-options.error.js';
import { replaceMethod } from '../utils/patch-method.js';
import type { BackgroundParts, RestingPackage } from './background-parts.js';
import { Gate, runsInMaintenance } from './gate.js';
import { instancesWith } from './instances.js';

// The name that @nestjs/schedule gives to its own metadata. Importing it would load the package.
const SCHEDULER_TYPE = 'SCHEDULER_TYPE';
const KINDS: Record<number, string> = { 1: 'cron', 2: 'timeout', 3: 'interval' };

type Class = new () => unknown;
type Method = (...args: never[]) => unknown;
type Tick = (this: unknown, ...args: unknown[]) => unknown;

interface CronJob {
  _callbacks: Tick[];
}

/** What finds the scheduled methods, and makes of each the function that timers call. */
interface Explorer {
  lookupSchedulers(instance: object, key: string): void;
  wrapFunctionInTryCatchBlocks(method: Method, instance: object): Tick;
}

interface Registry {
  addCronJob(name: string, job: CronJob): void;
  getCronJobs(): Map<string, CronJob>;
}

/** Methods with `@Cron()`, `@Interval()` and `@Timeout()`, and the cron jobs that the application adds to the registry itself. */
export class Schedules implements RestingPackage {
  #registries: Registry[] = [];
  /** Those of methods. */
  readonly #gates: Gate[] = [];
  /** What timers call for methods: crons come by here once more, when they are added to the registry. */
  readonly #ofMethods = new WeakSet<Tick>();
  /** Those of jobs that the application added, as long as it keeps them. */
  readonly #added = new WeakMap<CronJob, Gate[]>();
  readonly #undo: (() => void)[] = [];

  constructor(private readonly parts: BackgroundParts) {}

  attach(): void {
    const { modules } = this.parts;
    const explorers = instancesWith<Explorer>(modules, 'lookupSchedulers', 'wrapFunctionInTryCatchBlocks');
    this.#registries = instancesWith<Registry>(modules, 'addCronJob', 'getCronJobs');
    if (explorers.length === 0 || this.#registries.length === 0) {
      throw new MaintenanceOptionsError(
        'the option `background.pause` knows no way to pause what this version of @nestjs/schedule runs. Install version 6 or 12, or ' +
          'leave the option out.',
      );
    }
    for (const explorer of explorers) this.#undo.push(this.#gateMethods(explorer));
    for (const registry of this.#registries) this.#undo.push(this.#gateJobs(registry));
  }

  get resting(): string | null {
    const jobs = this.#registries.flatMap((registry) => [...registry.getCronJobs().values()]);
    const gates = [...this.#gates, ...jobs.flatMap((job) => this.#added.get(job) ?? [])];
    const count = gates.filter(({ isShut }) => isShut).length;
    return count === 0 ? null : `${count} scheduled ${count === 1 ? 'job' : 'jobs'}`;
  }

  close(): void {
    for (const undo of this.#undo.splice(0).reverse()) undo();
  }

  // Here and not at the method itself: a call of the application's own is no run.
  #gateMethods(explorer: Explorer): () => void {
    const gated = (tick: Tick, method: Method, instance: object): Tick => this.#ofMethod(tick, method, instance);
    return replaceMethod(
      explorer,
      'wrapFunctionInTryCatchBlocks',
      (wrap) => (method, instance) => gated(wrap(method, instance), method, instance),
    );
  }

  #gateJobs(registry: Registry): () => void {
    for (const [name, job] of registry.getCronJobs()) this.#adopt(name, job);
    return replaceMethod(registry, 'addCronJob', (add) => (name, job) => {
      add(name, job);
      this.#adopt(name, job);
    });
  }

  #ofMethod(tick: Tick, method: Method, instance: object): Tick {
    const type = instance.constructor as Class;
    const kind = KINDS[Reflect.getMetadata(SCHEDULER_TYPE, method) as number] ?? 'schedule';
    const name = `${kind} ${type.name}.${keyOf(method, instance)}`;
    const gated = this.#gated(tick, name, type, method, this.#gates);
    this.#ofMethods.add(gated);
    return gated;
  }

  #adopt(name: string, job: CronJob): void {
    // What only looks like a job has no functions that could be gated; one that was taken out and put in again has been here.
    if (!Array.isArray(job._callbacks) || this.#added.has(job)) return;
    const gates: Gate[] = [];
    job._callbacks = job._callbacks.map((tick) =>
      this.#ofMethods.has(tick) ? tick : this.#gated(tick, `cron ${name}`, job.constructor as Class, tick, gates),
    );
    this.#added.set(job, gates);
  }

  #gated(tick: Tick, name: string, type: Class, method: Method, gates: Gate[]): Tick {
    if (runsInMaintenance(type, method)) return tick;
    const gate = new Gate(this.parts, type, method);
    gates.push(gate);
    return async function (...args) {
      // The timers of a process that was suspended fire before it has read the state again.
      const caughtUp = gate.awaitFresh();
      if (caughtUp) await caughtUp;
      if (!gate.isShut) return gate.pass(name, () => tick.apply(this, args));
    };
  }
}

// Another decorator may have put a function without a name in the method's place.
function keyOf(method: Method, instance: object): string {
  const members = instance as Record<string, unknown>;
  return new MetadataScanner()
    .getAllMethodNames(Object.getPrototypeOf(instance) as object)
    .find((key) => members[key] === method)!;
}
