import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { createInterface } from 'node:readline';

/** A revision that was confirmed to a writer. */
export interface Confirmed {
  revision: number;
  marker: string;
}

/** The state that `writer.mjs` writes. */
export interface WriterState {
  revision: number;
  markers: string[];
  filler: string;
}

/** Runs a process that writes in a loop. */
export class WriterProcess {
  readonly confirmed: Confirmed[] = [];
  private readonly child: ChildProcess;
  private readonly closed: Promise<unknown>;
  private readonly ready: Promise<unknown>;
  private errors = '';

  constructor(path: string, name: string, times = Infinity) {
    this.child = spawn(process.execPath, [join(__dirname, 'writer.mjs'), path, name, String(times)]);
    this.closed = once(this.child, 'close');
    const lines = createInterface({ input: this.child.stdout! });
    this.ready = Promise.race([once(lines, 'line'), this.closed]);
    lines.on('line', (line) => {
      const match = /^(\d+) (\S+)$/.exec(line);
      if (match) this.confirmed.push({ revision: Number(match[1]), marker: match[2]! });
    });
    this.child.stderr!.on('data', (data) => (this.errors += data));
    this.child.stdin!.on('error', () => undefined);
  }

  async start(): Promise<void> {
    await this.ready;
    this.child.stdin!.write('go\n');
  }

  /** Waits until `count` writes are confirmed. */
  async confirms(count: number, patience = 20_000): Promise<void> {
    const deadline = Date.now() + patience;
    while (this.confirmed.length < count) {
      if (this.child.exitCode !== null) throw new Error(`the writer ended early: ${this.errors}`);
      if (Date.now() > deadline)
        throw new Error(`${count} writes were not confirmed in ${patience} ms: ${this.errors}`);
      await pause(1);
    }
  }

  signal(signal: NodeJS.Signals): void {
    this.child.kill(signal);
  }

  /** Kills the process and waits until all its output was read. */
  async kill(): Promise<void> {
    this.child.kill('SIGKILL');
    await this.closed;
  }

  /** Waits until the process has made all its writes. */
  async end(): Promise<void> {
    await this.closed;
    if (this.child.exitCode !== 0) throw new Error(`the writer failed: ${this.errors}`);
  }
}

/** Reads the state, which must exist and be complete. */
export async function readState(path: string): Promise<WriterState> {
  const state = JSON.parse(await readFile(path, 'utf8')) as WriterState;
  expect(state.filler).toHaveLength(100_000);
  expect(state.markers).toHaveLength(state.revision);
  expect(new Set(state.markers).size).toBe(state.revision);
  return state;
}

/** Runs rounds concurrently, since most of a round is waiting. Resolves when all started rounds have ended. */
export async function inRounds(rounds: number, round: (index: number) => Promise<void>): Promise<void> {
  let next = 0;
  const lane = async (): Promise<void> => {
    try {
      while (next < rounds) await round(next++);
    } finally {
      next = rounds;
    }
  };
  const lanes = await Promise.allSettled(Array.from({ length: Math.min(rounds, 16) }, lane));
  const failed = lanes.find((result) => result.status === 'rejected');
  if (failed) throw failed.reason;
}

export function pause(milliseconds: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, milliseconds));
}
