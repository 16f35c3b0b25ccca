import { join } from 'node:path';
import { defineConfig } from 'tsdown';

const ENTRIES = ['index', 's3', 'redis', 'terminus', 'cli/index', 'testing/index'];
/** The entry points that load nothing of Nest. */
const WITHOUT_NEST = ['s3', 'redis', 'testing/index'];
const toPath = (entry) => join(import.meta.dirname, `src/${entry}.ts`);

/** Small pure packages. */
const BUNDLED_BY_BIN = ['cookie', 'croner'];

/** npm packs only files below the package, so what stands at the top of the repository is copied. */
const SHARED_FILES = ['README.md', 'LICENSE', 'CHANGELOG.md'];

/** In a package of ES modules, Node loads `.js` files as CommonJS only if a `package.json` beside them says so. */
const commonJsManifest = {
  name: 'commonjs-manifest',
  generateBundle() {
    this.emitFile({ type: 'asset', fileName: 'package.json', source: '{ "type": "commonjs" }\n' });
  },
};

/**
 * Node loads two large files faster than twenty small ones. Every start of an application needs `module` and `core`;
 * the storages and the test kit need only `core`, which does without Nest.
 */
function createChunkNames() {
  const collect = (entry, getImports, found = new Set()) => {
    if (found.has(entry)) return found;
    found.add(entry);
    for (const imported of getImports(entry)) collect(imported, getImports, found);
    return found;
  };
  let chunks;
  return (id, context) => {
    const getImports = (module) => context.getModuleInfo(module)?.importedIds ?? [];
    chunks ??= {
      core: new Set(WITHOUT_NEST.flatMap((entry) => [...collect(toPath(entry), getImports)])),
      module: collect(toPath('index'), getImports),
    };
    return !chunks.module.has(id) ? null : chunks.core.has(id) ? 'core' : 'module';
  };
}

const library = defineConfig({
  entry: Object.fromEntries(ENTRIES.map((entry) => [entry, toPath(entry)])),
  format: {
    esm: { outDir: 'dist/esm', copy: SHARED_FILES.map((file) => ({ from: `../../${file}`, to: '.' })) },
    cjs: { outDir: 'dist/cjs', plugins: [commonJsManifest] },
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
