import { fork, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import type { Ended } from './program.js';

/** The outcome of a command, including an error that it threw (which it never should). */
export interface Ran extends Ended {
  thrown?: string;
}

/** Runs commands in one long-lived process, so that a command does not pay for a process start. */
export class CommandLine {
  private constructor(private readonly child: ChildProcess) {}

  /** @param front - the bin, or the command `maintenance` of a nest-commander program named `shop` */
  static async start(
    cwd: string,
    env: Record<string, string> = {},
    front: 'bin' | 'program' = 'bin',
  ): Promise<CommandLine> {
    const child = fork(join(__dirname, 'fixtures/calls.mjs'), [front], {
      cwd,
      env: { PATH: process.env.PATH, HOME: cwd, ...env },
      execArgv: [],
    });
    await once(child, 'message');
    return new CommandLine(child);
  }

  async run(args: readonly string[]): Promise<Ran> {
    const answered = once(this.child, 'message') as Promise<[Ran]>;
    this.child.send(args);
    const [ran] = await answered;
    return ran;
  }

  async stop(): Promise<void> {
    const ended = once(this.child, 'exit');
    this.child.kill('SIGKILL');
    await ended;
  }
}
