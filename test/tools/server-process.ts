import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { rm } from 'node:fs/promises';

/** A server of a test's own, in a process that can be frozen, killed and started again. */
export abstract class ServerProcess {
  #child: ChildProcess | undefined;

  protected constructor(
    /** Where it keeps what it has, of its own. */
    readonly folder: string,
  ) {}

  /** Waits until what it prints says that it serves. */
  protected async run(child: ChildProcess, isUp: (output: string) => boolean): Promise<void> {
    this.#child = child;
    let output = '';
    await new Promise<void>((resolve, reject) => {
      const hear = (data: Buffer): void => {
        output += data.toString();
        if (isUp(output)) resolve();
      };
      child.stdout!.on('data', hear);
      child.stderr!.on('data', hear);
      child.on('close', () => reject(new Error(`${child.spawnfile} ended: ${output}`)));
    });
  }

  signal(signal: NodeJS.Signals): void {
    this.#child?.kill(signal);
  }

  async kill(): Promise<void> {
    const child = this.#child;
    this.#child = undefined;
    if (!child || child.exitCode !== null || child.signalCode !== null) return;
    const closed = once(child, 'close');
    child.kill('SIGKILL');
    await closed;
  }

  async stop(): Promise<void> {
    await this.kill();
    await rm(this.folder, { recursive: true, force: true });
  }
}
