import type { ChildProcess } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { constants } from 'node:os';

/** The signals that end a command: from the keyboard, from a supervisor, and from a terminal that is closed. */
const SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP', 'SIGQUIT'] as const;
/** Those that a terminal sends to every program in its foreground. */
const KEYBOARD_SIGNALS: readonly NodeJS.Signals[] = ['SIGINT', 'SIGQUIT'];

/** Returns the exit code of shells for a program that a signal has ended: 130 for SIGINT. */
export function toExitCode(signal: NodeJS.Signals): number {
  return 128 + constants.signals[signal];
}

/** Hands signals on to the running program. Without one, the first signal aborts and the second ends the process. */
export class RunSignals {
  readonly #controller = new AbortController();
  #child: ChildProcess | undefined;
  #received: NodeJS.Signals | undefined;

  /** @param leave - called for a second signal while no program runs: the operator does not want to wait */
  constructor(private readonly leave: (signal: NodeJS.Signals) => void) {
    for (const signal of SIGNALS) process.on(signal, this.#onSignal);
  }

  /** Aborts with the first signal, unless it was handed on to a program. */
  get aborted(): AbortSignal {
    return this.#controller.signal;
  }

  /** The first signal; `undefined` if there was none. */
  get received(): NodeJS.Signals | undefined {
    return this.#received;
  }

  /** Hands signals on to `child` until the returned function is called. */
  handOnTo(child: ChildProcess): () => void {
    this.#child = child;
    return () => (this.#child = undefined);
  }

  /** Restores the default. */
  stop(): void {
    for (const signal of SIGNALS) process.off(signal, this.#onSignal);
  }

  readonly #onSignal = (signal: NodeJS.Signals): void => {
    const isFirst = !this.#controller.signal.aborted;
    this.#received ??= signal;
    if (this.#child) {
      // The program has got the signal of the keyboard already, and would take a second one for impatience.
      if (!KEYBOARD_SIGNALS.includes(signal) || !isInForeground(this.#child.pid)) this.#child.kill(signal);
    } else if (isFirst) this.#controller.abort();
    else this.leave(signal);
  };
}

/** Whether a process is in the foreground of a terminal, so that the keyboard reaches it; not after `setsid`. */
function isInForeground(pid: number | undefined): boolean {
  try {
    // The fields after the name: state, parent, group, session, terminal, foreground group of the terminal.
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    const [, , group, , terminal, foreground] = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    return terminal !== '0' && group === foreground;
  } catch {
    return [process.stdin, process.stdout, process.stderr].some(({ isTTY }) => isTTY);
  }
}
