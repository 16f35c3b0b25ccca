import { execFile } from 'node:child_process';
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';

const run = promisify(execFile);
const MAJORS = { bun: 1, deno: 2 };
const PLATFORM = process.platform === 'win32' ? 'win' : process.platform;

/**
 * A JavaScript runtime for tests.
 *
 * @typedef {object} Runtime
 * @property {string} name - with its version, such as `Node 24.1.0`
 * @property {string} command - the path of its executable
 * @property {string[]} args - what it needs before the name of a program
 * @property {boolean} isNode
 */

/**
 * Returns a runtime. npm has the executables of Node, Bun and Deno as packages.
 *
 * @param {string} name - a version of Node such as `24` or `20.19`, `bun`, `deno`, or `current` for this process
 * @param {string} folder - where it is installed
 * @returns {Promise<Runtime>}
 */
export async function getRuntime(name, folder) {
  if (name === 'current') {
    return { name: `Node ${process.versions.node}`, command: process.execPath, args: [], isNode: true };
  }
  const home = join(folder, name);
  mkdirSync(home, { recursive: true });
  if (name === 'bun' || name === 'deno') {
    await install(home, `${name}@${MAJORS[name]}`);
    const command = join(home, 'node_modules', name, name === 'bun' ? 'bin/bun.exe' : 'deno');
    return {
      name: await getVersion(command, name),
      command,
      args: name === 'deno' ? ['run', '-A'] : [],
      isNode: false,
    };
  }
  const packageName = `node-${PLATFORM}-${process.arch}`;
  await install(home, `${packageName}@${name}`);
  const command = join(home, 'node_modules', packageName, 'bin', PLATFORM === 'win' ? 'node.exe' : 'node');
  return { name: await getVersion(command, 'Node'), command, args: [], isNode: true };
}

async function install(folder, spec) {
  const args = [
    'install',
    '--prefix',
    folder,
    '--no-audit',
    '--no-fund',
    '--no-package-lock',
    '--loglevel=error',
    spec,
  ];
  await run('npm', args, { cwd: folder, shell: process.platform === 'win32' });
}

async function getVersion(command, name) {
  const { stdout } = await run(command, ['--version']);
  const title = name[0].toUpperCase() + name.slice(1);
  return `${title} ${/\d+\.\d+\.\d+/.exec(stdout)?.[0]}`;
}
