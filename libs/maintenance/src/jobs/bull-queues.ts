import type { ModulesContainer } from '@nestjs/core';
import { FailureLog } from '../utils/failure-log.js';
import { MaintenanceOptionsError } from '../errors/maintenance-options.error.js';
import { replaceMethod } from '../utils/patch-method.js';
import { reasonOf } from '../utils/reason-of.js';
import type { BackgroundParts, RestingPackage } from './background-parts.js';
import { Gate, runsInMaintenance } from './gate.js';
import { instancesWith } from './instances.js';
import { RestingQueue, type Queue } from './resting-queue.js';

type Class = new () => unknown;
type Method = (...args: never[]) => unknown;

/** Registers each method with `@Process()` at its queue. */
interface Explorer {
  handleProcessor(instance: Record<string, Method>, key: string, queue: Queue, ...rest: unknown[]): void;
  handleListener(...args: unknown[]): void;
}

/** The queues of `@nestjs/bull`, which run jobs where something processes them: methods with `@Process()`, or functions. */
export class BullQueues implements RestingPackage {
  readonly #failures: FailureLog;
  readonly #queues = new Map<Queue, RestingQueue>();
  readonly #undo: (() => void)[] = [];
  /** The method that is being registered. */
  #registering: { type: Class; method: Method } | null = null;

  constructor(private readonly parts: BackgroundParts) {
    this.#failures = new FailureLog(parts.clock);
  }

  attach(): void {
    const explorers = instancesWith<Explorer>(this.parts.modules, 'handleProcessor', 'handleListener');
    if (explorers.length === 0) {
      throw new MaintenanceOptionsError(
        'the option `background.pause` finds classes with @Processor(), but nothing that registers them. Import ' +
          'BullModule.registerQueue() of @nestjs/bull, version 11 or 12, or leave the option out.',
      );
    }
    for (const queue of findQueues(this.parts.modules)) this.#adopt(queue);
    for (const explorer of explorers) {
      this.#undo.push(
        replaceMethod(explorer, 'handleProcessor', (handle) => (instance, key, queue, ...rest) => {
          this.#adopt(queue);
          this.#registering = { type: instance.constructor as Class, method: instance[key]! };
          try {
            handle(instance, key, queue, ...rest);
          } finally {
            this.#registering = null;
          }
        }),
      );
    }
  }

  review(): void {
    for (const queue of this.#queues.values()) queue.review();
  }

  get resting(): string | null {
    const count = [...this.#queues.values()].filter(({ rests }) => rests).length;
    return count === 0 ? null : `${count} ${count === 1 ? 'queue' : 'queues'} of Bull`;
  }

  // Queues keep asking until they are closed, which @nestjs/bull does by itself.
  close(): void {
    for (const undo of this.#undo.splice(0).reverse()) undo();
  }

  #adopt(queue: Queue): void {
    if (this.#queues.has(queue)) return;
    const resting = new RestingQueue(queue, (error) =>
      this.#failures.error(
        queue.name,
        () => `The queue ${queue.name} could not be paused or resumed: ${reasonOf(error)}`,
      ),
    );
    this.#queues.set(queue, resting);
    // Those of the option `processors` of `registerQueue()`: they were registered when the queue was made.
    for (const name of Object.keys(queue.handlers)) this.#gate(queue, resting, name, queue.handlers[name]!);
    replaceMethod(queue, 'setHandler', (set) => (name, handler) => {
      set(name, handler);
      this.#gate(queue, resting, name, handler);
    });
  }

  #gate(queue: Queue, resting: RestingQueue, name: string, handler: unknown): void {
    const given = typeof handler === 'function' ? (handler as Method) : queue.handlers[name]!;
    const { type, method } = this.#registering ?? { type: queue.constructor as Class, method: given };
    const gate = runsInMaintenance(type, method) ? null : new Gate(this.parts, type, method);
    if (!resting.add(gate)) {
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
      await resting.admit(job);
      return gate.pass(`job ${queue.name}:${job.name}`, () => process(job));
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
