// npm run bench [-- <name> ...] [--short]: runs each measurement in a process of its own, one at a time.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readdir } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';

const files = await readdir(new URL('.', import.meta.url));
const all = files.filter((file) => /^(?!run\b).*\.mjs$/.test(file)).map((file) => file.replace('.mjs', ''));

const args = process.argv.slice(2);
const named = args.filter((arg) => !arg.startsWith('--'));
const unknown = named.filter((name) => !all.includes(name));
if (unknown.length > 0) {
  console.error(`Unknown measurement ${unknown.join(', ')}: use ${all.join(', ')}`);
  process.exit(2);
}

const failed = [];
for (const name of named.length > 0 ? named : all) {
  console.log(`\n${name}`);
  const file = fileURLToPath(new URL(`${name}.mjs`, import.meta.url));
  const flags = args.filter((arg) => arg.startsWith('--'));
  const child = spawn(process.execPath, ['--expose-gc', file, ...flags], { stdio: 'inherit' });
  const [code] = await once(child, 'exit');
  if (code !== 0) failed.push(name);
}
if (failed.length > 0) {
  console.error(`\nFailed, or missed a target: ${failed.join(', ')}`);
  process.exitCode = 1;
}
