// How long a program takes from its start to its end, and how much of the processor it uses.
import { spawn } from 'node:child_process';
import { performance } from 'node:perf_hooks';

// The shell waits for its child and says what that has used: the second line of `times`.
const SCRIPT = '"$@"; code=$?; times >&3; exit $code';
const FIELDS = /(\d+)m([\d.]+)s (\d+)m([\d.]+)s\s*$/;

/**
 * Runs a module of Node with these arguments, in an environment without settings of ours.
 *
 * @returns how it ended, `wall` and `cpu` (user and system) in milliseconds
 */
export async function runTimed(module, args, { cwd }) {
  const began = performance.now();
  const child = spawn('sh', ['-c', SCRIPT, 'sh', process.execPath, module, ...args], {
    cwd,
    env: { PATH: process.env.PATH, HOME: cwd, NODE_ENV: 'production' },
    stdio: ['ignore', 'pipe', 'pipe', 'pipe'],
  });
  const texts = ['', '', ''];
  child.stdio.slice(1).forEach((stream, index) => {
    stream.setEncoding('utf8').on('data', (text) => (texts[index] += text));
  });
  const ended = new Promise((resolve) => child.once('exit', () => resolve(performance.now())));
  const code = await new Promise((resolve, reject) => {
    child.once('error', reject);
    child.once('close', resolve);
  });
  const [stdout, stderr, times] = texts;
  return { code, stdout, stderr, wall: (await ended) - began, cpu: cpuOf(times) };
}

function cpuOf(times) {
  const found = FIELDS.exec(times);
  if (!found) throw new Error(`the shell's \`times\` said ${JSON.stringify(times)}, which is not to be understood`);
  const [userMinutes, user, systemMinutes, system] = found.slice(1).map(Number);
  return 1000 * (60 * (userMinutes + systemMinutes) + user + system);
}
