/**
 * Runs the packed package on each supported version of Node, and on Bun and Deno, or on those that are named:
 * `test-on-node.mjs 20.19 current`.
 *
 * On each: the smoke programs in `test/smoke` as ES modules and as CommonJS, on Nest 11 and 12, on Express and Fastify.
 * On each Node but `current`, also the specs in `test/package` whose result depends on the version.
 */
import { execFile } from 'node:child_process';
import { cpSync, mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, dirname, join, resolve } from 'node:path';
import { promisify } from 'node:util';
import { getRuntime } from './runtimes.mjs';

const run = promisify(execFile);
const ROOT = resolve(import.meta.dirname, '..');
const SHELL = process.platform === 'win32';
const PROGRAM_TIMEOUT_MS = 60_000;
const PACKAGE_SPECS = 'test/package/(exports|loaded-packages|yarn-pnp)';
const NEST = {
  11: { '@nestjs/common': '^11.2.10', '@nestjs/config': '^4.0.4', '@nestjs/core': '^11.2.10' },
  12: { '@nestjs/common': '^12.5.1', '@nestjs/config': '^12.0.1', '@nestjs/core': '^12.5.1' },
};

const named = process.argv.slice(2).filter((argument) => !argument.startsWith('--'));
const names = named.length > 0 ? named : ['20.19', '22', '24', '26', 'bun', 'deno'];
const folder = mkdtempSync(join(tmpdir(), 'test-on-node-'));
const counts = { passed: 0, failed: 0 };

/** Installs the tarball into a new application with both adapters, and returns its folder. */
async function createApplication(major, tarball) {
  const home = join(folder, `nest-${major}`);
  mkdirSync(home);
  const dependencies = {
    ...NEST[major],
    '@nestjs/platform-express': NEST[major]['@nestjs/core'],
    '@nestjs/platform-fastify': `^${major}.0.0`,
    'nestjs-maintenance': `file:${tarball}`,
    'reflect-metadata': '^0.2.2',
    rxjs: '^7.8.2',
  };
  writeFileSync(join(home, 'package.json'), JSON.stringify({ name: 'smoke', private: true, dependencies }));
  const args = ['install', '--no-audit', '--no-fund', '--no-package-lock', '--prefer-offline', '--loglevel=error'];
  await run('npm', args, { cwd: home, shell: SHELL });
  cpSync(join(ROOT, 'test/smoke'), home, { recursive: true });
  return home;
}

async function report(title, work) {
  const startedAt = performance.now();
  let problem;
  try {
    await work();
  } catch (error) {
    problem = [error.stdout, error.stderr].filter(Boolean).join('\n') || String(error);
    if (error.killed) problem += `\nThe process did not end within ${error.timeout ?? PROGRAM_TIMEOUT_MS} ms.`;
  }
  counts[problem === undefined ? 'passed' : 'failed']++;
  const seconds = ((performance.now() - startedAt) / 1000).toFixed(1);
  console.log(`${title.padEnd(60)} ${problem === undefined ? 'passed' : 'FAILED'} (${seconds} s)`);
  if (problem !== undefined) console.log(problem.replace(/^/gm, '    '));
}

async function runSmoke(runtime, applications) {
  const programs = Object.entries(applications).flatMap(([major, home]) =>
    ['express', 'fastify'].flatMap((adapter) => ['mjs', 'cjs'].map((format) => ({ major, home, adapter, format }))),
  );
  const runNext = async () => {
    for (let next = programs.shift(); next; next = programs.shift()) {
      const { major, home, adapter, format } = next;
      const title = `${runtime.name}, Nest ${major}, ${adapter}, ${format === 'mjs' ? 'ES modules' : 'CommonJS'}`;
      await report(title, async () => {
        const { stdout } = await run(runtime.command, [...runtime.args, `program.${format}`, adapter], {
          cwd: home,
          timeout: PROGRAM_TIMEOUT_MS,
          env: { ...process.env, SMOKE_RUN_ARGS: JSON.stringify(runtime.args) },
        });
        if (!stdout.includes(`All checks passed on ${runtime.name}.`)) throw new Error(`Unexpected output: ${stdout}`);
      });
    }
  };
  await Promise.all([runNext(), runNext()]);
}

async function runPackageSpecs(runtime) {
  const jest = join(ROOT, 'node_modules/jest/bin/jest.js');
  const args = [jest, '--selectProjects', 'system', '--testPathPatterns', PACKAGE_SPECS];
  // npm and the specs' own processes run on the same Node.
  const env = { ...process.env, PATH: [dirname(runtime.command), process.env.PATH].join(delimiter) };
  await report(`${runtime.name}, test/package`, () => run(runtime.command, args, { cwd: ROOT, env }));
}

try {
  await run('npm', ['pack', '--workspace', 'nestjs-maintenance', '--pack-destination', folder], {
    cwd: ROOT,
    shell: SHELL,
  });
  const tarball = join(folder, readdirSync(folder)[0]);
  const [eleven, twelve] = await Promise.all([11, 12].map((major) => createApplication(major, tarball)));
  for (const name of names) {
    const runtime = await getRuntime(name, join(folder, 'runtimes'));
    await runSmoke(runtime, { 11: eleven, 12: twelve });
    if (runtime.isNode && name !== 'current') await runPackageSpecs(runtime);
  }
} finally {
  rmSync(folder, { recursive: true, force: true });
}
console.log(`${counts.passed} passed, ${counts.failed} failed`);
if (counts.failed > 0) process.exitCode = 1;
