// Builds the library as ES modules and as CommonJS, then the applications that use it. What is up to date stays as it is.
import { spawnSync } from 'node:child_process';
import { chmodSync, copyFileSync, cpSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { isAbsolute, join } from 'node:path';
import { lock } from 'proper-lockfile';
import { rollup } from '@rollup/wasm-node';

// Several demos may be started at once, and each builds first. A build blocks the lock's own heartbeat.
const patience = 120_000;
const unlock = await lock('scripts/build.mjs', {
  lockfilePath: 'node_modules/.build.lock',
  stale: patience,
  retries: { forever: true, minTimeout: 100, maxTimeout: 500, maxRetryTime: patience },
});

const library = 'libs/maintenance';
const shared = ['tsconfig.base.json', 'package-lock.json', 'scripts/build.mjs'];

function tsc(project, ...flags) {
  const { status } = spawnSync(process.execPath, ['node_modules/typescript/bin/tsc', '-p', project, ...flags], {
    stdio: 'inherit',
  });
  if (status !== 0) process.exit(status ?? 1);
}

function newest(path) {
  const { mtimeMs, isDirectory } = statOf(path);
  return isDirectory ? Math.max(mtimeMs, ...readdirSync(path).map((name) => newest(join(path, name)))) : mtimeMs;
}

function statOf(path) {
  const stat = statSync(path, { throwIfNoEntry: false });
  return { mtimeMs: stat?.mtimeMs ?? 0, isDirectory: stat?.isDirectory() ?? false };
}

async function build(folder, inputs, compile) {
  const stamp = `${folder}/dist/.built`;
  if (newest(stamp) > Math.max(...inputs.map(newest))) return;
  // What a change removed from the sources must not stay behind.
  rmSync(`${folder}/dist`, { recursive: true, force: true });
  await compile();
  writeFileSync(stamp, '');
}

/** A process that loads two hundred small files takes some 40 ms longer to start than one that loads a dozen. */
async function bundle() {
  const folder = `${library}/dist/esm`;
  const entries = ['index', 's3', 'redis', 'terminus', 'cli/index', 'cli/standalone', 'testing/index'];
  const bundled = await rollup({
    input: Object.fromEntries(entries.map((entry) => [entry, `${folder}/${entry}.js`])),
    external: (id) => !id.startsWith('.') && !isAbsolute(id),
    // TypeScript's helpers for decorators ask for one of an earlier file.
    onwarn: (warning, warn) => warning.code === 'THIS_IS_UNDEFINED' || warn(warning),
  });
  for (const file of readdirSync(folder, { recursive: true })) if (file.endsWith('.js')) rmSync(join(folder, file));
  const names = { entryFileNames: '[name].js', chunkFileNames: 'chunks/[name]-[hash].js' };
  await bundled.write({ ...names, dir: folder, format: 'es' });
  // Where Jest runs CommonJS, there is no import().
  await bundled.write({
    ...names,
    dir: `${library}/dist/cjs`,
    format: 'cjs',
    interop: 'auto',
    dynamicImportInCjs: false,
  });
  await bundled.close();
}

await build(
  library,
  [`${library}/src`, `${library}/tsconfig.json`, `${library}/tsconfig.cjs.json`, `${library}/package.json`, ...shared],
  async () => {
    tsc(`${library}/tsconfig.json`);
    tsc(`${library}/tsconfig.cjs.json`, '--emitDeclarationOnly');
    await bundle();
    writeFileSync(`${library}/dist/cjs/package.json`, '{ "type": "commonjs" }\n');
  },
);
chmodSync(`${library}/bin/nestjs-maintenance.js`, 0o755);
for (const file of ['README.md', 'LICENSE', 'CHANGELOG.md']) copyFileSync(file, `${library}/${file}`);
rmSync(`${library}/docs`, { recursive: true, force: true });
cpSync('docs', `${library}/docs`, { recursive: true });

for (const app of ['apps/demo', 'apps/cli']) {
  await build(app, [`${app}/src`, `${app}/tsconfig.json`, `${library}/dist/.built`, ...shared], () =>
    tsc(`${app}/tsconfig.json`),
  );
}

await unlock();
