// Programs that run on a core of their own, so that what is measured and what measures do not take turns.
import { fork, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { availableParallelism } from 'node:os';

/** The core of what is measured. */
export const APPLICATION = 0;
/** The core of whoever measures. */
export const LOAD = 1;

/** For `env`: what the SDK of AWS says of the future of each version of Node is said once, by whoever measures. */
export const QUIET = { NODE_NO_WARNINGS: '1' };

const canPin = availableParallelism() > 1 && hasTaskset();
if (!canPin) console.error('not pinned: `taskset` and two cores are needed, so expect more spread');

/**
 * Starts a module of ours, with a channel to it.
 *
 * @param core - {@link APPLICATION} or {@link LOAD}; `undefined`: wherever
 */
export function start(url, { core, args = [], execArgv = [], env = {} } = {}) {
  const pins = canPin && core !== undefined;
  const given = Object.entries(process.env).filter(([name]) => !/^(MAINTENANCE|NODE_OPTIONS)/.test(name));
  return fork(url, args, {
    env: { ...Object.fromEntries(given), NODE_ENV: 'production', ...env },
    execArgv: pins ? ['-c', String(core), process.execPath, ...execArgv] : execArgv,
    ...(pins && { execPath: 'taskset' }),
  });
}

/** Waits for the next message; rejects if the program ends first. */
export async function heard(child) {
  const ended = new AbortController();
  const end = (code) => ended.abort(new Error(`${child.spawnargs.join(' ')} ended with ${code}`));
  child.once('exit', end);
  try {
    const [message] = await once(child, 'message', { signal: ended.signal });
    return message;
  } catch (error) {
    throw ended.signal.aborted ? ended.signal.reason : error;
  } finally {
    child.off('exit', end);
  }
}

/** Sends a message and waits for the answer. */
export async function ask(child, message) {
  const answer = heard(child);
  child.send(message);
  return answer;
}

/** Ends a program. */
export async function stop(child) {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const gone = once(child, 'exit');
  child.kill('SIGKILL');
  await gone;
}

function hasTaskset() {
  return spawnSync('taskset', ['-c', String(LOAD), 'true']).status === 0;
}
