import { mkdirSync, writeFileSync } from 'node:fs';
import { dirname, posix } from 'node:path';

const PREFIX = 'package:';
/** Packages of which two copies would break: an ES module hands its own to the library. */
const SHARED_SCOPE = '@nestjs/';

/**
 * Loads each package on its first use, by `require()`, and lets the ES module entry points share the one copy of the
 * library's code, which is CommonJS. They hand over the packages of Nest that they import, so that the library uses
 * those of the application wherever ES modules can't be required, as in Jest.
 *
 * @param {string[]} entries - the names of the entry points
 */
export function loadPackagesLate(entries) {
  /** The packages that each chunk uses. */
  const used = new Map();
  return {
    name: 'load-packages-late',
    resolveId: {
      order: 'pre',
      // With a prefix, the variable that rolldown assigns a package to has a name that nothing else has.
      handler(source, importer, { kind }) {
        const isPackage = /^(?:@|\w)[\w@./-]*$/.test(source) && !/^(?:node:|rxjs)/.test(source);
        if (!isPackage || importer === undefined || importer.endsWith('.d.ts') || kind === 'dynamic-import')
          return null;
        return { id: PREFIX + source, external: true };
      },
    },
    renderChunk(code, { fileName }) {
      const names = new Map();
      const rest = code.replace(
        /^let (\w+) = require\("package:([^"]+)"\);\n(?:\1 = .*\(\1, 1\);\n)?/gm,
        (_lines, variable, name) => (names.set(variable, name), ''),
      );
      used.set(fileName, [...names.values()]);
      if (names.size === 0) return null;
      const replaced = rest.replace(
        new RegExp(`\\b(?:${[...names.keys()].join('|')})\\b`, 'g'),
        (variable) => `packages$["${names.get(variable)}"]`,
      );
      const file = getRelativePath(fileName, 'packages.js');
      return replaced.replace(/^"use strict";\n/, `"use strict";\nconst packages$ = require("${file}");\n`);
    },
    generateBundle(_options, bundle) {
      this.emitFile({
        type: 'asset',
        fileName: 'packages.js',
        source: createRegistry([...new Set([...used.values()].flat())]),
      });
      for (const name of entries) {
        const fileName = `${name}.js`;
        const shared = findPackages(fileName, bundle, used).filter((found) => found.startsWith(SHARED_SCOPE));
        writeEsm(fileName, bundle[fileName].exports, shared);
      }
    },
  };
}

function findPackages(fileName, bundle, used, visited = new Set()) {
  if (visited.has(fileName) || !bundle[fileName]) return [];
  visited.add(fileName);
  const others = bundle[fileName].imports.flatMap((imported) => findPackages(imported, bundle, used, visited));
  return [...new Set([...(used.get(fileName) ?? []), ...others])].sort();
}

function createRegistry(names) {
  return `"use strict";
const define = (name, load) => Object.defineProperty(exports, name, {
  configurable: true,
  get() {
    const loaded = load();
    const isModule = loaded.__esModule || loaded[Symbol.toStringTag] === "Module";
    const value = isModule ? loaded : Object.create(loaded, { default: { value: loaded } });
    Object.defineProperty(exports, name, { value });
    return value;
  },
});
exports.provide = (packages) => {
  for (const name of Object.keys(packages)) Object.defineProperty(exports, name, { value: packages[name], configurable: true });
};
${names
  .sort()
  .map((name) => `define("${name}", () => require("${name}"));\n`)
  .join('')}`;
}

// Modules evaluate in the order of their imports: the packages are there before the library asks for them.
function writeEsm(fileName, names, shared) {
  const provider = fileName.replace(/\.js$/, '.packages.js');
  const library = getRelativePath(`esm/${fileName}`, `cjs/${fileName}`);
  const lines = [`import library from "${library}";`, `export const { ${names.join(', ')} } = library;`, ''];
  if (shared.length > 0) lines.unshift(`import "./${posix.basename(provider)}";`);
  write(`dist/esm/${fileName}`, lines);
  // The declarations of both module systems stand once, beside the CommonJS files.
  const declarations = getRelativePath(`esm/${fileName}`, `cjs/${fileName}`);
  write(`dist/esm/${fileName.replace(/\.js$/, '.d.ts')}`, [`export * from "${declarations}";`, '']);
  if (shared.length === 0) return;
  write(`dist/esm/${provider}`, [
    ...shared.map((name, index) => `import * as package${index} from "${name}";`),
    `import registry from "${getRelativePath(`esm/${fileName}`, 'cjs/packages.js')}";`,
    `registry.provide({ ${shared.map((name, index) => `"${name}": package${index}`).join(', ')} });`,
    '',
  ]);
}

function write(file, lines) {
  mkdirSync(dirname(file), { recursive: true });
  writeFileSync(file, lines.join('\n'));
}

function getRelativePath(from, to) {
  const path = posix.relative(posix.dirname(from), to);
  return path.startsWith('.') ? path : `./${path}`;
}
