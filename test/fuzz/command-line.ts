import { fork, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import type { Ended } from '../cli/program.js';

/** What the program did: with what it threw, which no program should. */
export interface Ran extends Ended {
  thrown?: string;
}

/** The command line in a process that stays, so that a command costs no start of one. */
export class CommandLine {
  private constructor(private readonly child: ChildProcess) {}

  static async start(cwd: string, env: Record<string, string> = {}): Promise<CommandLine> {
    const child = fork(join(__dirname, 'command-line.mjs'), {
      cwd,
      env: { PATH: process.env.PATH, HOME: cwd, ...env },
      execArgv: [],
    });
    await once(child, 'message');
    return new CommandLine(child);
  }

  async run(args: readonly string[]): Promise<Ran> {
    const answered = once(this.child, 'message') as Promise<[Ran]>;
    this.child.send({ args });
    const [ran] = await answered;
    return ran;
  }

  async stop(): Promise<void> {
    const ended = once(this.child, 'exit');
    this.child.kill('SIGKILL');
    await ended;
  }
}
