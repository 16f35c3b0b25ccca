// Programs pinned to a core each, so that the application and the load do not share one.
import { fork, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { availableParallelism } from 'node:os';

/** The core of the application. */
export const APPLICATION_CORE = 0;
/** The core of the load generator. */
export const LOAD_CORE = 1;

/** For `env`: the AWS SDK warns about the version of Node in each process; once, in the measuring one, is enough. */
export const NO_WARNINGS = { NODE_NO_WARNINGS: '1' };

const canPin = availableParallelism() > 1 && hasTaskset();
if (!canPin) console.error('Processes are not pinned: `taskset` or a second core is missing, so expect more spread');

/**
 * Starts a module in a process of its own, with an IPC channel.
 *
 * @param core - {@link APPLICATION_CORE} or {@link LOAD_CORE}; `undefined`: any core
 */
export function start(url, { core, args = [], execArgv = [], env = {} } = {}) {
  const isPinned = canPin && core !== undefined;
  const inherited = Object.entries(process.env).filter(([name]) => !/^(MAINTENANCE|NODE_OPTIONS)/.test(name));
  return fork(url, args, {
    env: { ...Object.fromEntries(inherited), NODE_ENV: 'production', ...env },
    execArgv: isPinned ? ['-c', String(core), process.execPath, ...execArgv] : execArgv,
    ...(isPinned && { execPath: 'taskset' }),
  });
}

/** Waits for the next message; rejects if the process exits first. */
export async function waitForMessage(child) {
  const exit = new AbortController();
  const onExit = (code) => exit.abort(new Error(`${child.spawnargs.join(' ')} exited with ${code}`));
  child.once('exit', onExit);
  try {
    const [message] = await once(child, 'message', { signal: exit.signal });
    return message;
  } catch (error) {
    throw exit.signal.aborted ? exit.signal.reason : error;
  } finally {
    child.off('exit', onExit);
  }
}

/** Sends a message and waits for the reply. */
export async function ask(child, message) {
  const reply = waitForMessage(child);
  child.send(message);
  return reply;
}

/** Kills a process and waits for its exit. */
export async function stop(child) {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const exited = once(child, 'exit');
  child.kill('SIGKILL');
  await exited;
}

function hasTaskset() {
  return spawnSync('taskset', ['-c', String(LOAD_CORE), 'true']).status === 0;
}
