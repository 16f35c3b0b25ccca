// Measures the wall time and the CPU time of a program.
import { spawn } from 'node:child_process';
import { performance } from 'node:perf_hooks';

// The second line of `times` is the CPU time of the children for which the shell has waited.
const SCRIPT = '"$@"; code=$?; times >&3; exit $code';
const FIELDS = /(\d+)m([\d.]+)s (\d+)m([\d.]+)s\s*$/;

/**
 * Runs a module of Node with these arguments, in an environment without `MAINTENANCE_` variables.
 *
 * @param options - `cwd`, and `env` for further variables
 *
 * @returns exit code and output, `wall` and `cpu` (user and system) in milliseconds
 */
export async function runTimed(module, args, { cwd, env = {} }) {
  const startedAt = performance.now();
  const child = spawn('sh', ['-c', SCRIPT, 'sh', process.execPath, module, ...args], {
    cwd,
    env: { PATH: process.env.PATH, HOME: cwd, NODE_ENV: 'production', ...env },
    stdio: ['ignore', 'pipe', 'pipe', 'pipe'],
  });
  const texts = ['', '', ''];
  child.stdio.slice(1).forEach((stream, index) => {
    stream.setEncoding('utf8').on('data', (text) => (texts[index] += text));
  });
  const exitedAt = new Promise((resolve) => child.once('exit', () => resolve(performance.now())));
  const code = await new Promise((resolve, reject) => {
    child.once('error', reject);
    child.once('close', resolve);
  });
  const [stdout, stderr, times] = texts;
  return { code, stdout, stderr, wall: (await exitedAt) - startedAt, cpu: parseCpuTime(times) };
}

function parseCpuTime(times) {
  const found = FIELDS.exec(times);
  if (!found) throw new Error(`Unexpected output of \`times\` in the shell: ${JSON.stringify(times)}`);
  const [userMinutes, user, systemMinutes, system] = found.slice(1).map(Number);
  return 1000 * (60 * (userMinutes + systemMinutes) + user + system);
}
