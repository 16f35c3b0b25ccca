import { spawn, type ChildProcess } from 'node:child_process';
import { toErrorMessage } from '../../utils/to-error-message.js';
import { toExitCode, type RunSignals } from './run-signals.js';

/** The exit codes of shells for a program that is not found, and for one that can't be executed. */
const NOT_FOUND_EXIT_CODE = 127;
const NOT_EXECUTABLE_EXIT_CODE = 126;

/** The end of a program. */
export interface ProgramEnd {
  exitCode: number;
  /** The signal that has ended it. */
  signal?: NodeJS.Signals;
  /** The reason why it did not start. */
  notStarted?: string;
}

/**
 * Runs a program with the standard streams of this process, and hands signals on to it.
 *
 * @param command - the program and its arguments, or one text for the shell
 */
export function runProgram(
  command: readonly string[] | string,
  env: NodeJS.ProcessEnv,
  signals: RunSignals,
): Promise<ProgramEnd> {
  return new Promise((resolve) => {
    let child: ChildProcess;
    try {
      child = start(command, env);
    } catch (error) {
      // Such as an argument that is longer than the system allows.
      return resolve(toNotStarted(error as NodeJS.ErrnoException));
    }
    const stop = signals.handOnTo(child);
    child.once('error', (error) => {
      // A signal that can't be handed on is an error too.
      if (child.pid !== undefined) return;
      stop();
      resolve(toNotStarted(error));
    });
    child.once('exit', (code, signal) => {
      stop();
      resolve(signal === null ? { exitCode: code! } : { exitCode: toExitCode(signal), signal });
    });
  });
}

function start(command: readonly string[] | string, env: NodeJS.ProcessEnv): ChildProcess {
  if (typeof command === 'string') return spawn(command, { shell: true, stdio: 'inherit', env });
  const [file = '', ...args] = command;
  return spawn(file, args, { stdio: 'inherit', env });
}

function toNotStarted(error: NodeJS.ErrnoException): ProgramEnd {
  if (error.code === 'ENOENT') return { exitCode: NOT_FOUND_EXIT_CODE, notStarted: 'it was not found' };
  const reason = error.code === 'EACCES' ? 'it can not be executed' : toErrorMessage(error);
  return { exitCode: NOT_EXECUTABLE_EXIT_CODE, notStarted: reason };
}

/** Describes how a program has failed: `exit code 3`, `signal SIGTERM`. */
export function describeProgramEnd({ exitCode, signal, notStarted }: ProgramEnd): string {
  if (notStarted !== undefined) return `${notStarted}, exit code ${exitCode}`;
  return signal === undefined ? `exit code ${exitCode}` : `ended by ${signal}, exit code ${exitCode}`;
}
