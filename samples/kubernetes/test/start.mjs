import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { setTimeout as delay } from 'node:timers/promises';
import { promisify } from 'node:util';

/** Starts the built application on a free port. */
export async function start(file = 'dist/main.js', variables = {}) {
  const env = { ...process.env, NO_COLOR: '1', PORT: '0', ...variables };
  const child = spawn(process.execPath, [file], { env, stdio: ['ignore', 'pipe', 'inherit'] });
  let output = '';
  const url = await new Promise((resolve, reject) => {
    child.stdout.on('data', (chunk) => {
      output += chunk;
      const found = /Listening on (\S+)/.exec(output);
      if (found) resolve(found[1]);
    });
    child.once('exit', () => reject(new Error(`The application did not start:\n${output}`)));
  });
  const stop = async () => {
    child.kill();
    if (child.exitCode === null) await once(child, 'exit');
  };
  return { url, stop };
}

/** Runs the program of the library, as `npx nestjs-maintenance` does. */
export async function maintenance(...args) {
  const file = 'node_modules/nestjs-maintenance/bin/nestjs-maintenance.cjs';
  const { stdout } = await promisify(execFile)(process.execPath, [file, ...args]);
  return stdout;
}

/** Waits until a condition holds: an instance learns of a change a moment after the command. */
export async function until(what, isTrue) {
  const deadline = Date.now() + 20_000;
  while (!(await isTrue())) {
    if (Date.now() > deadline) throw new Error(`Not within 20 s: ${what}`);
    await delay(50);
  }
}
