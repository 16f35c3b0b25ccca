import type { BullExplorer } from '../nest-internals.js';
import { findInstancesWith, type Class, type Method } from '../utils/discovery.js';
import { FailureLog } from '../utils/failure-log.js';
import { MaintenanceOptionsError } from '../errors/maintenance-options.error.js';
import { patchMethod } from '../utils/patch-method.js';
import { toErrorMessage } from '../utils/to-error-message.js';
import type { BackgroundDeps } from './background-deps.js';
import { BackgroundTask, shouldRunInMaintenance } from './background-task.js';
import type { PausablePackage } from './pausable-package.interface.js';
import { PausableQueue, type Queue } from './pausable-queue.js';

/** Pauses the queues of `@nestjs/bull` in this process, if they have processors: `@Process()` methods or functions. */
export class BullQueues implements PausablePackage {
  readonly unit = 'Bull queue';
  readonly #failures: FailureLog;
  readonly #queues = new Map<Queue, PausableQueue>();
  readonly #undo: (() => void)[] = [];
  /** The method that `@nestjs/bull` is registering. */
  #currentRegistration: { type: Class; method: Method } | null = null;

  constructor(private readonly deps: BackgroundDeps) {
    this.#failures = new FailureLog(deps.clock);
  }

  attach(): void {
    const { discovery } = this.deps;
    const explorers = findInstancesWith<BullExplorer<Queue>>(discovery, 'handleProcessor', 'handleListener');
    if (explorers.length === 0) {
      throw new MaintenanceOptionsError(
        'the option `background.pause` found classes with @Processor(), but no provider of @nestjs/bull that ' +
          'registers them. Import BullModule.registerQueue() of @nestjs/bull (supported: 11, 12), or remove the ' +
          'option.',
      );
    }
    for (const { instance } of discovery.getProviders()) if (isQueue(instance)) this.#addQueue(instance);
    for (const explorer of explorers) {
      this.#undo.push(
        patchMethod(explorer, 'handleProcessor', (handleProcessor) => (instance, key, queue, ...rest) => {
          this.#addQueue(queue);
          this.#currentRegistration = { type: instance.constructor as Class, method: instance[key]! };
          try {
            handleProcessor(instance, key, queue, ...rest);
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

  countPaused(): number {
    return [...this.#queues.values()].filter(({ isPaused }) => isPaused).length;
  }

  // Queues stay patched: they take jobs until @nestjs/bull closes them.
  detach(): void {
    for (const undo of this.#undo.splice(0).reverse()) undo();
  }

  #addQueue(queue: Queue): void {
    if (this.#queues.has(queue)) return;
    const pausable = new PausableQueue(queue, (error) =>
      this.#failures.error(
        queue.name,
        () => `Failed to pause or resume the queue ${queue.name}: ${toErrorMessage(error)}`,
      ),
    );
    this.#queues.set(queue, pausable);
    // The `processors` of `registerQueue()` were registered when the queue was created.
    for (const name of Object.keys(queue.handlers)) this.#wrapHandler(queue, pausable, name, queue.handlers[name]!);
    patchMethod(queue, 'setHandler', (setHandler) => (name, handler) => {
      setHandler(name, handler);
      this.#wrapHandler(queue, pausable, name, handler);
    });
  }

  #wrapHandler(queue: Queue, pausable: PausableQueue, name: string, handler: unknown): void {
    const processor = typeof handler === 'function' ? (handler as Method) : queue.handlers[name]!;
    const { type, method } = this.#currentRegistration ?? { type: queue.constructor as Class, method: processor };
    const task = shouldRunInMaintenance(type, method) ? null : new BackgroundTask(this.deps, type, method);
    pausable.addTask(task);
    if (pausable.isPartlyExempt) {
      throw new MaintenanceOptionsError(
        `the option \`background.pause\` can't pause the queue "${queue.name}": only some of its processors have ` +
          '@RunInMaintenance(), and Bull pauses a queue as a whole. Put the decorator on all processors of the queue ' +
          'or on none, or use separate queues.',
      );
    }
    if (!task) return;
    const process = queue.handlers[name]!;
    queue.handlers[name] = async (job) => {
      const fresh = task.awaitFresh();
      if (fresh) await fresh;
      await pausable.waitUntilResumed(job);
      return task.run(`job ${queue.name}:${job.name}`, () => process(job));
    };
  }
}

function isQueue(value: unknown): value is Queue {
  const { handlers, setHandler, processJob } = (value ?? {}) as Record<string, unknown>;
  return typeof handlers === 'object' && typeof setHandler === 'function' && typeof processJob === 'function';
}
