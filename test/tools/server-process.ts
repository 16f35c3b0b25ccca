import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { readFile, rm } from 'node:fs/promises';
import { until } from './waiting.js';

/** A server in a process that a test can suspend, kill and restart. */
export abstract class ServerProcess {
  #child: ChildProcess | undefined;

  protected constructor(
    /** The folder with its data, removed by {@link stop}. */
    readonly folder: string,
  ) {}

  /** Waits until the output of the process shows that it is ready. */
  protected async run(child: ChildProcess, isReady: (output: string) => boolean): Promise<void> {
    this.#child = child;
    let output = '';
    await new Promise<void>((resolve, reject) => {
      const onData = (data: Buffer): void => {
        output += data.toString();
        if (isReady(output)) resolve();
      };
      child.stdout!.on('data', onData);
      child.stderr!.on('data', onData);
      child.on('close', () => reject(new Error(`${child.spawnfile} exited: ${output}`)));
    });
  }

  signal(signal: NodeJS.Signals): void {
    this.#child?.kill(signal);
  }

  /** Suspends it, and returns when it no longer answers: a signal takes effect a moment after it was sent. */
  async suspend(): Promise<void> {
    this.signal('SIGSTOP');
    const { pid } = this.#child!;
    await until('the server is suspended', async () =>
      /^State:\s+T/m.test(await readFile(`/proc/${pid}/status`, 'utf8')),
    );
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
