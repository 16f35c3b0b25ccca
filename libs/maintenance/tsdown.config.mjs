import { join } from 'node:path';
import { defineConfig } from 'tsdown';
import { loadPackagesLate } from './tsdown.packages.mjs';

const ENTRIES = ['index', 's3', 'redis', 'terminus', 'cli/index', 'testing/index'];
const INDEX = join(import.meta.dirname, 'src/index.ts');

/** Small pure packages. */
const BUNDLED_BY_BIN = ['cookie', 'croner'];

/** npm packs only files below the package, so what stands at the top of the repository is copied. */
const SHARED_FILES = ['README.md', 'LICENSE'];

/** In a package of ES modules, Node loads `.js` files as CommonJS only if a `package.json` beside them says so. */
const commonJsManifest = {
  name: 'commonjs-manifest',
  generateBundle() {
    this.emitFile({ type: 'asset', fileName: 'package.json', source: '{ "type": "commonjs" }\n' });
  },
};

/**
 * Node loads two large files faster than twenty small ones. Every start of an application needs `module` and `core`;
 * the storages, the test kit and the command line need only `core`, which does without Nest.
 */
function createChunkNames() {
  const eager = new Set();
  const needsNest = (id, getModuleInfo, visited) => {
    if (id.startsWith('package:@nestjs/')) return true;
    if (visited.has(id)) return false;
    visited.add(id);
    return getModuleInfo(id)?.importedIds.some((imported) => needsNest(imported, getModuleInfo, visited)) ?? false;
  };
  const findEager = (id, getModuleInfo) => {
    if (eager.has(id)) return;
    eager.add(id);
    for (const imported of getModuleInfo(id)?.importedIds ?? []) findEager(imported, getModuleInfo);
  };
  return (id, context) => {
    const getModuleInfo = (module) => context.getModuleInfo(module);
    if (eager.size === 0) findEager(INDEX, getModuleInfo);
    if (!eager.has(id)) return null;
    return needsNest(id, getModuleInfo, new Set()) ? 'module' : 'core';
  };
}

const library = defineConfig({
  entry: Object.fromEntries(ENTRIES.map((entry) => [entry, `src/${entry}.ts`])),
  format: 'cjs',
  outDir: 'dist/cjs',
  copy: SHARED_FILES.map((file) => ({ from: `../../${file}`, to: '.' })),
  clean: ['dist', 'docs', 'CHANGELOG.md'],
  dts: true,
  plugins: [commonJsManifest, loadPackagesLate(ENTRIES)],
  // Everything outside `src` is a dependency or a peer dependency; the build fails if a package would be bundled.
  deps: { onlyBundle: [] },
  logLevel: 'warn',
  checks: { legacyCjs: false, pluginTimings: false, preferBuiltinFeature: false },
  outExtensions: () => ({ js: '.js', dts: '.d.ts' }),
  // Names of classes and functions stay, for logs and stack traces.
  minify: {
    compress: { keepNames: { function: true, class: true } },
    mangle: { keepNames: true },
    codegen: { removeWhitespace: true },
  },
  outputOptions: {
    chunkFileNames: 'chunks/[name].js',
    codeSplitting: { groups: [{ name: createChunkNames(), test: /(?<!\.d)\.ts$/ }] },
    // The declarations keep the TSDoc comments.
    comments: { jsdoc: false },
    // Jest can't run `import()` in CommonJS.
    dynamicImportInCjs: false,
    strict: true,
  },
});

/**
 * The bin loads a few files, with what it uses of the packages below: a command that loads hundreds of files, or Nest,
 * takes several times as long. Node starts CommonJS faster than ES modules, and short files faster than long ones.
 */
const commandLine = defineConfig({
  entry: { standalone: 'src/cli/standalone.ts' },
  format: 'cjs',
  outDir: 'dist/bin',
  minify: true,
  clean: false,
  dts: false,
  deps: { alwaysBundle: BUNDLED_BY_BIN, onlyBundle: BUNDLED_BY_BIN },
  logLevel: 'warn',
  checks: { legacyCjs: false, pluginTimings: false, preferBuiltinFeature: false },
  outExtensions: () => ({ js: '.cjs' }),
  outputOptions: { chunkFileNames: '[name].cjs', comments: { jsdoc: false }, strict: true },
});

export default [library, commandLine];
