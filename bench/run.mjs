// npm run bench [-- <name> ...] [--short]: each measurement in a process of its own, one after the other.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readdir } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';

const files = await readdir(new URL('.', import.meta.url));
const all = files.filter((file) => /^(?!run\b).*\.mjs$/.test(file)).map((file) => file.replace('.mjs', ''));

const given = process.argv.slice(2);
const named = given.filter((argument) => !argument.startsWith('--'));
const unknown = named.filter((name) => !all.includes(name));
if (unknown.length > 0) {
  console.error(`there is no measurement ${unknown.join(', ')}; there are ${all.join(', ')}`);
  process.exit(2);
}

const failed = [];
for (const name of named.length > 0 ? named : all) {
  console.log(`\n${name}`);
  const file = fileURLToPath(new URL(`${name}.mjs`, import.meta.url));
  const flags = given.filter((argument) => argument.startsWith('--'));
  const child = spawn(process.execPath, ['--expose-gc', file, ...flags], { stdio: 'inherit' });
  const [code] = await once(child, 'exit');
  if (code !== 0) failed.push(name);
}
if (failed.length > 0) {
  console.error(`\nfailed, or short of what was to be reached: ${failed.join(', ')}`);
  process.exitCode = 1;
}
