import { Subject } from 'rxjs';
import type { MaintenanceService } from 'nestjs-maintenance';
import { until } from '../tools/waiting.js';

/** Blocks handlers until the test lets them finish. */
export class BlockingHandlers {
  readonly started: string[] = [];
  readonly finished: string[] = [];
  /** Emits at the end of the test: streams without a listener would not stop by themselves. */
  readonly closed = new Subject<void>();
  readonly #waiting = new Map<string, () => void>();

  async block(name: string): Promise<string> {
    this.started.push(name);
    await new Promise<void>((resolve) => this.#waiting.set(name, resolve));
    this.finished.push(name);
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

  waitUntilStarted(...names: string[]): Promise<void> {
    return until(`${names.join(', ')} have started`, () => names.every((name) => this.#waiting.has(name)));
  }
}

/**
 * Resolves once the instances report exactly these in-flight calls as blocking.
 *
 * `drained({ timeout: 0 })` does not tell: it looks once at the reports, which `enable()` does not wait for, and allows
 * a storage on a busy machine only a second.
 */
export async function waitUntilDrainBlockedBy(maintenance: MaintenanceService, ...names: string[]): Promise<void> {
  let blocking: string[] = [];
  const isBlocked = async (): Promise<boolean> => {
    const reports = await maintenance.instances();
    blocking = reports.flatMap(({ longest }) => longest ?? []).map(({ name }) => name);
    return blocking.length === names.length && names.every((name) => blocking.includes(name));
  };
  await until(`${names.join(', ')} block the drain`, isBlocked).catch((error: Error) => {
    throw new Error(`${error.message}: blocked by ${blocking.join(', ') || 'nothing'}`);
  });
}
