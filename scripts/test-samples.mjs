/**
 * Runs the samples as their users would: `test-samples.mjs [name...]`, all of `samples` without names.
 *
 * Each is copied to a temporary folder, installed with the packed library, and built. The servers that its compose.yaml
 * names are started on this machine, without Docker, and `npm test` gets their addresses in environment variables.
 */
import { execFile } from 'node:child_process';
import { cpSync, existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { promisify } from 'node:util';
import { runnerImport } from 'vite';
import { parse } from 'yaml';

const run = promisify(execFile);
const ROOT = resolve(import.meta.dirname, '..');
const SAMPLES = join(ROOT, 'samples');
const SHELL = process.platform === 'win32';
const STEP_TIMEOUT_MS = 180_000;
/** More than one waits for the network and for servers while the other compiles. */
const SAMPLES_AT_A_TIME = 2;
/** Files that are built or installed in the folder of a sample. */
const GENERATED = /\/(node_modules|dist|generated)(\/|$)|maintenance-state\.json/;

/** By the name of the service in compose.yaml: the variable with the address of the server, and how it is started. */
const SERVERS = {
  postgres: ['DATABASE_URL', async () => (await load('test/storage/postgres-server.ts')).PostgresServer.start()],
  mysql: ['DATABASE_URL', async () => (await load('test/storage/mysql-server.ts')).MysqlServer.start()],
  rabbitmq: ['RABBITMQ_URL', async () => (await load('test/tools/rabbitmq-server.ts')).RabbitMqServer.start()],
  redis: ['REDIS_URL', async () => (await load('test/storage/redis-server.ts')).RedisServer.start()],
};

/** Loads a module of the tests, which Node 20 can't: it is TypeScript. */
async function load(file) {
  return (await runnerImport(join(ROOT, file), { configFile: false, logLevel: 'error' })).module;
}

const folder = mkdtempSync(join(tmpdir(), 'test-samples-'));
const counts = { passed: 0, failed: 0 };

function listSamples() {
  const known = readdirSync(SAMPLES).filter((name) => existsSync(join(SAMPLES, name, 'package.json')));
  const names = process.argv.slice(2);
  const unknown = names.filter((name) => !known.includes(name));
  if (unknown.length > 0) throw new Error(`No sample is called ${unknown.join(', ')}. There are: ${known.join(', ')}`);
  return names.length > 0 ? names : known;
}

async function pack() {
  const args = ['pack', '--workspace', 'nestjs-maintenance', '--pack-destination', folder];
  await run('npm', args, { cwd: ROOT, shell: SHELL });
  return join(folder, readdirSync(folder)[0]);
}

function copySample(name, tarball) {
  const home = join(folder, name);
  cpSync(join(SAMPLES, name), home, { recursive: true, filter: (path) => !GENERATED.test(path.slice(ROOT.length)) });
  const manifest = JSON.parse(readFileSync(join(home, 'package.json'), 'utf8'));
  manifest.dependencies['nestjs-maintenance'] = `file:${tarball}`;
  writeFileSync(join(home, 'package.json'), JSON.stringify(manifest, null, 2));
  return home;
}

function listServices(home) {
  const file = join(home, 'compose.yaml');
  return existsSync(file) ? Object.keys(parse(readFileSync(file, 'utf8')).services) : [];
}

async function testSample(name, tarball) {
  const home = copySample(name, tarball);
  // `prisma generate` downloads this program from a host that is not npm's, but does not run it.
  const env = { PRISMA_SCHEMA_ENGINE_BINARY: process.execPath, ...process.env, NO_COLOR: '1' };
  const call = (...args) => run('npm', args, { cwd: home, env, shell: SHELL, timeout: STEP_TIMEOUT_MS });
  await call('install', '--no-audit', '--no-fund', '--no-package-lock', '--prefer-offline', '--loglevel=error');
  await call('run', 'build');
  const servers = [];
  try {
    for (const service of listServices(home)) {
      if (!SERVERS[service]) throw new Error(`compose.yaml: scripts/test-samples.mjs can't start "${service}"`);
      const [variable, start] = SERVERS[service];
      const server = await start();
      servers.push(server);
      env[variable] = server.url;
    }
    await call('test');
  } finally {
    for (const server of servers) await server.stop();
  }
}

async function report(name, work) {
  const startedAt = performance.now();
  let problem;
  try {
    await work();
  } catch (error) {
    problem = [error.stdout, error.stderr].filter(Boolean).join('\n') || error.stack;
    if (error.killed) problem += `\n${error.cmd} did not end within ${STEP_TIMEOUT_MS} ms.`;
  }
  counts[problem === undefined ? 'passed' : 'failed']++;
  const seconds = ((performance.now() - startedAt) / 1000).toFixed(1);
  console.log(`${name} ${problem === undefined ? 'passed' : 'FAILED'} (${seconds} s)`);
  if (problem !== undefined) console.log(problem.replace(/^/gm, '    '));
}

try {
  const names = listSamples();
  const tarball = await pack();
  const runNext = async () => {
    for (let name = names.shift(); name; name = names.shift()) await report(name, () => testSample(name, tarball));
  };
  await Promise.all(Array.from({ length: SAMPLES_AT_A_TIME }, runNext));
} finally {
  rmSync(folder, { recursive: true, force: true });
}
console.log(`${counts.passed} passed, ${counts.failed} failed`);
if (counts.failed > 0) process.exitCode = 1;
