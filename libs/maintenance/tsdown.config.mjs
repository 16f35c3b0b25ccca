import { readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { defineConfig } from 'tsdown';
import { makeLinksAbsolute } from '../../scripts/absolute-links.mjs';
import { panelAssets } from '../../scripts/build-panel.mjs';

const ENTRIES = ['index', 's3', 'redis', 'mysql', 'postgres', 'terminus', 'client', 'cli/index', 'testing/index'];
/** The entry points that load nothing of Nest. */
const WITHOUT_NEST = ['s3', 'redis', 'mysql', 'postgres', 'testing/index'];
const toPath = (entry) => join(import.meta.dirname, `src/${entry}.ts`);

/** npm packs only files below the package, so these, which stand at the top of the repository, are written there. */
const packedPages = {
  name: 'packed-pages',
  writeBundle() {
    const manifest = JSON.parse(readFileSync(join(import.meta.dirname, 'package.json'), 'utf8'));
    for (const page of ['README.md', 'CHANGELOG.md']) {
      const text = readFileSync(join(import.meta.dirname, '../..', page), 'utf8');
      writeFileSync(join(import.meta.dirname, page), makeLinksAbsolute(text, manifest));
    }
  },
};

/** In a package of ES modules, Node loads `.js` files as CommonJS only if a `package.json` beside them says so. */
const commonJsManifest = {
  name: 'commonjs-manifest',
  generateBundle() {
    this.emitFile({ type: 'asset', fileName: 'package.json', source: '{ "type": "commonjs" }\n' });
  },
};

/** ES modules can import the types of CommonJS, so that these exist once; the other way round, they can't. */
const sharedDeclarations = {
  name: 'shared-declarations',
  generateBundle() {
    for (const entry of ENTRIES) {
      const folder = entry.replace(/[^/]+/g, '..');
      this.emitFile({
        type: 'asset',
        fileName: `${entry}.d.ts`,
        source: `export * from '${folder}/cjs/${entry}.js';\n`,
      });
    }
  },
};

/** Both formats share this file, beside their folders: in ES modules too, only CommonJS can load a package on use. */
const onDemandPackages = {
  name: 'on-demand-packages',
  resolveId: (id) => (id.endsWith('/packages.cjs') ? { id: '../../packages.cjs', external: 'relative' } : null),
};

/**
 * All formats share the texts of the page: they are a tenth of each.
 *
 * @param folder - the path of `dist`, from the files that use the texts
 */
const sharedTexts = (folder) => ({
  name: 'shared-texts',
  resolveId: (id) => (id.endsWith('/languages/index.js') ? { id: `${folder}/texts.cjs`, external: 'relative' } : null),
});

/**
 * All formats share the document of the panel.
 *
 * @param folder - the path of `dist`, from the file that serves it
 */
const sharedPanel = (folder) => ({
  name: 'shared-panel',
  resolveId: (id) => (id.endsWith('/panel-assets.js') ? { id: `${folder}/panel.cjs`, external: 'relative' } : null),
});

/** Code that is loaded on use, in files that are not too small. */
const ON_DEMAND_CHUNKS = [
  { name: 'page', test: /\/src\/(?:page\/page-template|cli\/page-command)(?!.*\.d\.ts$)/ },
  { name: 'panel', test: /\/src\/admin\/panel\/(?!.*\.d\.ts$)/ },
  { name: 'mysql-state-storage', test: /\/src\/storage\/mysql\/(?!.*\.d\.ts$)/ },
  { name: 'postgres-state-storage', test: /\/src\/storage\/postgres\/(?!.*\.d\.ts$)/ },
  { name: 'jobs', test: /\/src\/jobs\/(?!.*\.d\.ts$)/ },
  { name: 'public-status', test: /\/src\/http\/(?:public-status\/|stream-hub)(?!.*\.d\.ts$)/ },
  { name: 'transports', test: /\/(?:call-in-flight|handler-context|watch-for-refusal|event-stream-transport)\.ts$/ },
];

/** Collects a file and all that it imports, apart from types and from what it loads on use. */
function collectImports(path, found = new Set()) {
  if (found.has(path)) return found;
  found.add(path);
  const imports = readFileSync(path, 'utf8').matchAll(/^(?:import|export)(?! type\b)[^;]*? from '(\.[^']*)\.js';/gm);
  for (const [, imported] of imports) collectImports(join(dirname(path), `${imported}.ts`), found);
  return found;
}

/**
 * Node loads two large files faster than twenty small ones. Every start of an application needs `module` and `core`;
 * the storages and the test kit need only `core`, which does without Nest. The sources are read for that: the bundler
 * may know only a part of them when it asks for the first name.
 */
function createChunkNames() {
  const core = new Set(WITHOUT_NEST.flatMap((entry) => [...collectImports(toPath(entry))]));
  const module = collectImports(toPath('index'));
  return (id) => {
    if (/\/(?:descends-from|uncertain-write)\.ts$/.test(id)) return 'core';
    return !module.has(id) ? null : core.has(id) ? 'core' : 'module';
  };
}

const library = defineConfig({
  entry: Object.fromEntries(ENTRIES.map((entry) => [entry, toPath(entry)])),
  format: {
    esm: {
      outDir: 'dist/esm',
      dts: false,
      copy: [
        { from: '../../LICENSE', to: '.' },
        { from: 'src/packages.cjs', to: 'dist' },
      ],
      plugins: [onDemandPackages, sharedTexts('../..'), sharedPanel('../..'), sharedDeclarations, packedPages],
    },
    cjs: {
      outDir: 'dist/cjs',
      plugins: [onDemandPackages, sharedTexts('../..'), sharedPanel('../..'), commonJsManifest],
    },
  },
  clean: ['dist', 'docs'],
  dts: true,
  // Everything outside `src` is a dependency or a peer dependency; the build fails if a package would be bundled.
  deps: { onlyBundle: [] },
  logLevel: 'warn',
  checks: { legacyCjs: false, pluginTimings: false, preferBuiltinFeature: false },
  outExtensions: () => ({ js: '.js', dts: '.d.ts' }),
  outputOptions: {
    chunkFileNames: 'chunks/[name].js',
    codeSplitting: { groups: [{ name: createChunkNames(), test: /(?<!\.d)\.ts$/, priority: 1 }, ...ON_DEMAND_CHUNKS] },
    // The declarations keep the TSDoc comments.
    comments: { jsdoc: false },
    // Jest can't run `import()` in CommonJS.
    dynamicImportInCjs: false,
    strict: true,
  },
});

const shared = defineConfig({
  entry: { texts: 'src/page/languages/index.ts', panel: 'src/admin/panel/panel-assets.ts' },
  format: 'cjs',
  plugins: [panelAssets],
  outDir: 'dist',
  clean: false,
  dts: false,
  logLevel: 'warn',
  checks: { legacyCjs: false, pluginTimings: false },
  outExtensions: () => ({ js: '.cjs' }),
});

/**
 * The bin loads a few files: a command that loads hundreds of files, or Nest, takes several times as long. Node starts
 * CommonJS faster than ES modules, and short files faster than long ones.
 */
const commandLine = defineConfig({
  entry: { standalone: 'src/cli/standalone.ts' },
  format: 'cjs',
  outDir: 'dist/bin',
  minify: true,
  plugins: [sharedTexts('..')],
  clean: false,
  dts: false,
  deps: { onlyBundle: [] },
  logLevel: 'warn',
  checks: { legacyCjs: false, pluginTimings: false, preferBuiltinFeature: false },
  outExtensions: () => ({ js: '.cjs' }),
  outputOptions: {
    chunkFileNames: '[name].cjs',
    codeSplitting: {
      groups: [
        { name: 'core', minShareCount: 2, priority: 1 },
        { name: 'page', test: /\/src\/(?:page\/|cli\/page-command)/ },
        { name: 'mysql-state-storage', test: /\/src\/storage\/mysql\// },
        { name: 'postgres-state-storage', test: /\/src\/storage\/postgres\// },
      ],
    },
    comments: { jsdoc: false },
    strict: true,
  },
});

export default [library, shared, commandLine];
