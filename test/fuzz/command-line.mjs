// Runs the command line many times in one process: node command-line.mjs. Each message of the parent names the
// arguments; the reply has the exit code and the output.
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';

const { run } = createRequire(import.meta.url)('../../libs/maintenance/dist/bin/standalone.cjs');
const PACKAGE = new URL('../../libs/maintenance/package.json', import.meta.url);
const { version } = JSON.parse(readFileSync(PACKAGE, 'utf8'));

let printed = { stdout: '', stderr: '' };
for (const name of ['stdout', 'stderr']) {
  process[name].write = (text, ...rest) => {
    printed[name] += text;
    rest.at(-1)?.();
    return true;
  };
}
// It ends itself after its work, in case a storage holds it open.
process.exit = () => undefined;

process.on('message', async ({ args }) => {
  printed = { stdout: '', stderr: '' };
  process.exitCode = undefined;
  let thrown;
  try {
    await run([process.execPath, 'nestjs-maintenance', ...args], version);
  } catch (error) {
    thrown = String(error?.stack ?? error);
  }
  process.send({ code: process.exitCode ?? 0, ...printed, thrown });
});
process.on('disconnect', () => process.kill(process.pid));
process.send('ready');
