import { defineConfig } from 'tsdown';

const ENTRIES = ['index', 's3', 'redis', 'terminus', 'cli/index', 'testing/index'];

/** Small pure packages. */
const BUNDLED_BY_BIN = ['cookie', 'croner'];

/** npm packs only files below the package, so what stands at the top of the repository is copied. */
const SHARED_FILES = ['README.md', 'LICENSE', 'CHANGELOG.md', 'docs'];

/** In a package of ES modules, Node loads `.js` files as CommonJS only if a `package.json` beside them says so. */
const commonJsManifest = {
  name: 'commonjs-manifest',
  generateBundle() {
    this.emitFile({ type: 'asset', fileName: 'package.json', source: '{ "type": "commonjs" }\n' });
  },
};

const library = defineConfig({
  entry: Object.fromEntries(ENTRIES.map((entry) => [entry, `src/${entry}.ts`])),
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
    chunkFileNames: ({ name }) => `chunks/${name.split('~', 1)[0]}-[hash].js`,
    // Node loads a dozen files faster than two hundred, so what entry points share is merged into larger chunks. From a
    // threshold of 5 kB on, the storages and the test kit would load Nest, which they don't need; from 1.5 kB on, some
    // chunks would import each other.
    codeSplitting: {
      groups: [
        {
          name: 'shared',
          test: /(?<!\.d)\.ts$/,
          minShareCount: 2,
          entriesAware: true,
          entriesAwareMergeThreshold: 1_000,
        },
      ],
    },
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
