// Publishes the library to a registry on this machine, and adds it to new applications of Nest CLI 11 and 12 as a user
// would: their own tests have to pass with the module, on Jest and on Vitest, and to leave no files.
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { promisify } from 'node:util';
import { startRegistry } from './local-registry.mjs';
import { getRuntime } from './runtimes.mjs';

const run = promisify(execFile);
const ROOT = resolve(import.meta.dirname, '..');
const { version } = JSON.parse(readFileSync(join(ROOT, 'libs/maintenance/package.json'), 'utf8'));
const TEST_TIMEOUT_MS = 300_000;
/** Tools of a new application that its tests do not need. */
const UNUSED = /^(@eslint\/.*|eslint.*|typescript-eslint|prettier|oxlint.*|globals|@nestjs\/mau|@vitest\/coverage-v8)$/;

/** Installed and built files. */
const GENERATED = /^(node_modules|dist)\//;
/** Jest in CommonJS can't load version 12 of `@nestjs/config`, which npm would take for Nest 11 too: see README.md. */
const FURTHER_PACKAGES = { 11: ['@nestjs/config@4'], 12: [] };

const folder = mkdtempSync(join(tmpdir(), 'test-published-'));
const counts = { passed: 0, failed: 0 };

async function report(title, work) {
  const startedAt = performance.now();
  let problem;
  try {
    await work();
  } catch (error) {
    problem = [error.stdout, error.stderr].filter(Boolean).join('\n') || error.stack;
  }
  counts[problem === undefined ? 'passed' : 'failed']++;
  const seconds = ((performance.now() - startedAt) / 1000).toFixed(1);
  console.log(`${title.padEnd(60)} ${problem === undefined ? 'passed' : 'FAILED'} (${seconds} s)`);
  if (problem !== undefined) console.log(problem.replace(/^/gm, '    '));
}

/** Changes a file, and fails if there is nothing to change. */
function edit(file, pattern, replacement) {
  const before = readFileSync(file, 'utf8');
  const after = before.replace(pattern, replacement);
  assert.notEqual(after, before, `${file} does not contain ${pattern}`);
  writeFileSync(file, after);
}

function listFiles(home) {
  return readdirSync(home, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath ?? entry.path, entry.name).slice(home.length + 1))
    .filter((file) => !GENERATED.test(file))
    .sort();
}

async function testApplication(major, env) {
  const name = `shop-${major}`;
  const home = join(folder, name);
  const call = (command, args, cwd = home) => run(command, args, { cwd, env, timeout: TEST_TIMEOUT_MS });

  await report(`Nest CLI ${major}: new application with the module`, async () => {
    const options = ['--skip-install', '--skip-git', '--package-manager', 'npm'];
    await call('npx', ['--yes', `@nestjs/cli@${major}`, 'new', name, ...options], folder);
    const manifest = JSON.parse(readFileSync(join(home, 'package.json'), 'utf8'));
    const tools = Object.entries(manifest.devDependencies).filter(([tool]) => !UNUSED.test(tool));
    writeFileSync(
      join(home, 'package.json'),
      JSON.stringify({ ...manifest, devDependencies: Object.fromEntries(tools) }, null, 2),
    );
    const flags = ['--no-audit', '--no-fund', '--loglevel=error'];
    await call('npm', ['install', ...flags, 'nestjs-maintenance', ...FURTHER_PACKAGES[major]]);
    const installed = JSON.parse(readFileSync(join(home, 'node_modules/nestjs-maintenance/package.json'), 'utf8'));
    assert.equal(installed.version, version);
    const appModule = join(home, 'src/app.module.ts');
    edit(appModule, 'imports: []', 'imports: [MaintenanceModule.forRoot()]');
    edit(appModule, /^/, "import { MaintenanceModule } from 'nestjs-maintenance';\n");
  });

  const files = listFiles(home);
  for (const script of ['test', 'test:e2e']) {
    await report(`Nest CLI ${major}: npm run ${script}`, async () => {
      const { stdout, stderr } = await call('npm', ['run', script]);
      assert.match(stdout + stderr, /Tests:? +1 passed/);
      assert.deepEqual(listFiles(home), files);
    });
  }
  await report(`Nest CLI ${major}: npm run build, and the command line`, async () => {
    await call('npm', ['run', 'build']);
    await call('npx', ['--no-install', 'nestjs-maintenance', 'on']);
    const status = await call('npx', ['--no-install', 'nestjs-maintenance', 'status']).catch((error) => error);
    assert.equal(status.code, 3);
    await call('npx', ['--no-install', 'nestjs-maintenance', 'off']);
  });
}

let registry;
try {
  registry = await startRegistry(await getRuntime('24', join(folder, 'runtimes')), join(folder, 'registry'));
  const env = { ...registry.env, NO_COLOR: '1' };
  // Only GitHub can sign the provenance.
  const release = () => run('npm', ['run', 'release', '--', '--provenance=false'], { cwd: ROOT, env });
  await report('npm run release', async () => {
    const { stderr } = await release();
    assert.doesNotMatch(stderr, /npm warn publish/);
  });
  await report('npm run release, once more', async () => {
    assert.match((await release()).stdout, /is published already/);
  });
  await Promise.all([testApplication(11, env), testApplication(12, env)]);
} finally {
  await registry?.stop();
  rmSync(folder, { recursive: true, force: true });
}
console.log(`${counts.passed} passed, ${counts.failed} failed`);
if (counts.failed > 0) process.exitCode = 1;
