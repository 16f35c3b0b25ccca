import type { ModulesContainer } from '@nestjs/core';
import type { BullExplorer } from '../nest-internals.js';
import { FailureLog } from '../utils/failure-log.js';
import { MaintenanceOptionsError } from '../errors/maintenance-options.error.js';
import { patchMethod } from '../utils/patch-method.js';
import { toErrorMessage } from '../utils/to-error-message.js';
import type { BackgroundDeps, PausablePackage } from './background.interfaces.js';
import { BackgroundTask, shouldRunInMaintenance } from './background-task.js';
import { findInstancesWith } from './find-instances.js';
import { PausableQueue, type Queue } from './pausable-queue.js';

type Class = new () => unknown;
type Method = (...args: never[]) => unknown;

type Explorer = BullExplorer<Queue>;

/** The queues of `@nestjs/bull`, which run jobs where something processes them: methods with `@Process()`, or functions. */
export class BullQueues implements PausablePackage {
  readonly #failures: FailureLog;
  readonly #queues = new Map<Queue, PausableQueue>();
  readonly #undo: (() => void)[] = [];
  /** The method that is being registered. */
  #currentRegistration: { type: Class; method: Method } | null = null;

  constructor(private readonly deps: BackgroundDeps) {
    this.#failures = new FailureLog(deps.clock);
  }

  attach(): void {
    const explorers = findInstancesWith<Explorer>(this.deps.modules, 'handleProcessor', 'handleListener');
    if (explorers.length === 0) {
      throw new MaintenanceOptionsError(
        'the option `background.pause` finds classes with @Processor(), but nothing that registers them. Import ' +
          'BullModule.registerQueue() of @nestjs/bull, version 11 or 12, or leave the option out.',
      );
    }
    for (const queue of findQueues(this.deps.modules)) this.#addQueue(queue);
    for (const explorer of explorers) {
      this.#undo.push(
        patchMethod(explorer, 'handleProcessor', (handle) => (instance, key, queue, ...rest) => {
          this.#addQueue(queue);
          this.#currentRegistration = { type: instance.constructor as Class, method: instance[key]! };
          try {
            handle(instance, key, queue, ...rest);
          } finally {
            this.#currentRegistration = null;
          }
        }),
      );
    }
  }

  update(): void {
    for (const queue of this.#queues.values()) queue.update();
  }

  get pausedSummary(): string | null {
    const count = [...this.#queues.values()].filter(({ isPaused: rests }) => rests).length;
    return count === 0 ? null : `${count} ${count === 1 ? 'queue' : 'queues'} of Bull`;
  }

  // Queues keep asking until they are closed, which @nestjs/bull does by itself.
  close(): void {
    for (const undo of this.#undo.splice(0).reverse()) undo();
  }

  #addQueue(queue: Queue): void {
    if (this.#queues.has(queue)) return;
    const resting = new PausableQueue(queue, (error) =>
      this.#failures.error(
        queue.name,
        () => `The queue ${queue.name} could not be paused or resumed: ${toErrorMessage(error)}`,
      ),
    );
    this.#queues.set(queue, resting);
    // Those of the option `processors` of `registerQueue()`: they were registered when the queue was made.
    for (const name of Object.keys(queue.handlers)) this.#wrapHandler(queue, resting, name, queue.handlers[name]!);
    patchMethod(queue, 'setHandler', (set) => (name, handler) => {
      set(name, handler);
      this.#wrapHandler(queue, resting, name, handler);
    });
  }

  #wrapHandler(queue: Queue, resting: PausableQueue, name: string, handler: unknown): void {
    const given = typeof handler === 'function' ? (handler as Method) : queue.handlers[name]!;
    const { type, method } = this.#currentRegistration ?? { type: queue.constructor as Class, method: given };
    const gate = shouldRunInMaintenance(type, method) ? null : new BackgroundTask(this.deps, type, method);
    if (!resting.addTask(gate)) {
      throw new MaintenanceOptionsError(
        `the option \`background.pause\` finds @RunInMaintenance() on a part of what processes the queue "${queue.name}". Bull ` +
          'pauses a queue as a whole: put it on all of that or on nothing, or use a queue for each.',
      );
    }
    if (!gate) return;
    const process = queue.handlers[name]!;
    queue.handlers[name] = async (job) => {
      const caughtUp = gate.awaitFresh();
      if (caughtUp) await caughtUp;
      await resting.waitUntilResumed(job);
      return gate.run(`job ${queue.name}:${job.name}`, () => process(job));
    };
  }
}

function findQueues(modules: ModulesContainer): Set<Queue> {
  const found = new Set<Queue>();
  for (const { providers } of modules.values()) {
    for (const { instance } of providers.values()) if (isQueue(instance)) found.add(instance);
  }
  return found;
}

function isQueue(value: unknown): value is Queue {
  const { handlers, setHandler, processJob } = (value ?? {}) as Record<string, unknown>;
  return typeof handlers === 'object' && typeof setHandler === 'function' && typeof processJob === 'function';
}
