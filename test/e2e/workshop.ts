import { Subject } from 'rxjs';
import type { MaintenanceService } from 'nestjs-maintenance';
import { until } from '../tools/waiting.js';

/** Handlers work here until the test lets them finish. */
export class Workshop {
  readonly begun: string[] = [];
  readonly done: string[] = [];
  /** Emits when the test is over, since what nobody hears any more goes on. */
  readonly closed = new Subject<void>();
  readonly #waiting = new Map<string, () => void>();

  async work(name: string): Promise<string> {
    this.begun.push(name);
    await new Promise<void>((resolve) => this.#waiting.set(name, resolve));
    this.done.push(name);
    return `${name} is done`;
  }

  finish(name: string): void {
    this.#waiting.get(name)?.();
    this.#waiting.delete(name);
  }

  close(): void {
    this.closed.next();
    for (const name of [...this.#waiting.keys()]) this.finish(name);
  }

  hasBegun(...names: string[]): Promise<void> {
    return until(`${names.join(', ')} are under way`, () => names.every((name) => this.#waiting.has(name)));
  }
}

/** Resolves once these kinds of work hold a drain up, and no others. */
export async function heldUpBy(maintenance: MaintenanceService, ...names: string[]): Promise<void> {
  let held: string[] = [];
  const isSo = async (): Promise<boolean> => {
    const { pending } = await maintenance.drained({ timeout: 0 });
    held = pending.flatMap(({ instance }) => instance.longest ?? []).map(({ name }) => name);
    return held.length === names.length && names.every((name) => held.includes(name));
  };
  await until(`${names.join(', ')} hold it up`, isSo).catch((error: Error) => {
    throw new Error(`${error.message}: ${held.join(', ') || 'nothing'} did`);
  });
}
