import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { until } from '../tools/waiting.js';
import { BIN } from './program.js';

/** Longer than any ending takes on a busy machine. */
const TIMEOUT_MS = 60_000;
/** The bit of SIGHUP in the mask of handled signals: Node itself handles SIGINT and SIGTERM. */
const SIGHUP_BIT = 1n;

/** The command `run` in a process of its own, which a test can watch and signal. */
export class RunningCommand {
  stdout = '';
  stderr = '';
  readonly #closed: Promise<unknown>;

  private constructor(private readonly child: ChildProcess) {
    child.stdout!.setEncoding('utf8').on('data', (text: string) => (this.stdout += text));
    child.stderr!.setEncoding('utf8').on('data', (text: string) => (this.stderr += text));
    this.#closed = once(child, 'exit');
  }

  /** @param args - the arguments after `run` */
  static start(args: readonly string[], cwd: string, env: Record<string, string>): RunningCommand {
    return RunningCommand.#spawn(process.execPath, [BIN, 'run', ...args], cwd, env);
  }

  /** Starts it on a terminal, whose output is `stdout`. */
  static startOnTerminal(args: readonly string[], cwd: string, env: Record<string, string>): RunningCommand {
    const quoted = [process.execPath, BIN, 'run', ...args].map((arg) => `'${arg.replaceAll("'", "'\\''")}'`).join(' ');
    return RunningCommand.#spawn('script', ['-qec', `echo $$ > pid; exec ${quoted}`, '/dev/null'], cwd, env);
  }

  static #spawn(file: string, args: string[], cwd: string, env: Record<string, string>): RunningCommand {
    const all = { PATH: process.env.PATH, HOME: cwd, ...env };
    // In a group of its own, so that the test can end the programs that outlive it.
    return new RunningCommand(spawn(file, args, { cwd, env: all, detached: true }));
  }

  get pid(): number {
    return this.child.pid!;
  }

  /** Waits until the output contains a text. */
  shows(text: string): Promise<void> {
    return until(
      `the output contains ${JSON.stringify(text)}, not ${JSON.stringify(this.stdout + this.stderr)}`,
      () => {
        if (this.child.exitCode !== null && !this.#output.includes(text)) throw new Error(`It ended: ${this.#output}`);
        return this.#output.includes(text);
      },
    );
  }

  get #output(): string {
    return this.stdout + this.stderr;
  }

  /** Waits until it handles signals. Before, a signal ends it without a trace. */
  handlesSignals(): Promise<void> {
    return until('it handles signals', () => {
      const caught = /^SigCgt:\s*(\w+)/m.exec(readFileSync(`/proc/${this.pid}/status`, 'utf8'))?.[1];
      return (BigInt(`0x${caught}`) & SIGHUP_BIT) !== 0n;
    });
  }

  signal(signal: NodeJS.Signals): void {
    this.child.kill(signal);
  }

  type(text: string): void {
    this.child.stdin!.write(text);
  }

  /** Waits for its end, and returns its exit code, or the signal that has ended it. */
  async end(): Promise<number | NodeJS.Signals> {
    const timer = setTimeout(() => this.stop(), TIMEOUT_MS);
    await this.#closed;
    clearTimeout(timer);
    const { exitCode, signalCode } = this.child;
    return exitCode ?? signalCode!;
  }

  /** Kills it with the programs that it has started. */
  stop(): void {
    try {
      process.kill(-this.pid, 'SIGKILL');
    } catch {
      // All of them have ended.
    }
  }
}

/** Whether a process exists. One that has ended exists until its parent has read its exit code. */
export function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}
