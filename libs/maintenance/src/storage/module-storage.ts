import { createRequire } from 'node:module';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { importModule } from '../packages.cjs';
import { SystemClock } from '../utils/clock.js';
import { toErrorMessage } from '../utils/to-error-message.js';
import { withTimeout } from '../utils/with-timeout.js';
import { getErrorCode } from './error-code.js';
import type { StateStorage } from './state-storage.js';

/** How long a module may take to create its storage, in milliseconds. */
const CREATE_TIMEOUT_MS = 10_000;

type Exports = Record<string, unknown>;
type Factory = () => unknown;
type StorageClass = new () => unknown;

/** Whether a text is the path of a module: it begins with `./`, `../` or `/`, and ends as a script does. */
export function isModulePath(text: string): boolean {
  return /^\.{0,2}\/.*\.[cm]?[jt]s$/s.test(text);
}

/**
 * Creates the storage that a module of the application exports: `createStorage()`, or else its default export, which is
 * a storage, a class without arguments or a function.
 *
 * @param name - a path, relative to the working directory, or the name of a package that is installed there
 * @throws Error that says what is wrong with the module
 */
export async function createModuleStorage(name: string): Promise<StateStorage> {
  const path = findModule(name);
  const exports = await loadModule(path);
  const source = findExport(exports);
  if (source === undefined) throw new Error(`${path} exports no storage: ${EXPECTED}`);
  const storage = await runExport(source, path);
  if (!isStorage(storage)) throw new Error(`${path} creates no storage: ${EXPECTED}`);
  return storage;
}

const EXPECTED =
  'export `createStorage()`, or a default export, that is or returns an object with `kind`, `location`, `read()` and ' +
  '`write()`';

function findModule(name: string): string {
  if (name === '') throw new Error('module: has no path; expected a URL such as module:./my-storage.js');
  try {
    return createRequire(join(process.cwd(), 'package.json')).resolve(name);
  } catch (error) {
    if (getErrorCode(error) !== 'MODULE_NOT_FOUND') {
      throw new Error(`the module ${JSON.stringify(name)} can't be found: ${toErrorMessage(error)}`, { cause: error });
    }
    const hint = /^[./]/.test(name) ? 'Correct the path' : `Install the package, or use ./${name} for a file`;
    const reason = `the module ${JSON.stringify(name)} does not exist below ${process.cwd()}. ${hint}`;
    throw new Error(reason, { cause: error });
  }
}

async function loadModule(path: string): Promise<Exports> {
  try {
    return await importModule(pathToFileURL(path).href, path);
  } catch (error) {
    throw new Error(`${path} fails while it is loaded: ${toErrorMessage(error)}`, { cause: error });
  }
}

/** Finds the export in a module, or in CommonJS that an ES module imports: its exports are the default export then. */
function findExport(exports: Exports): unknown {
  const inner = (exports.default ?? {}) as Exports;
  const standard = inner.__esModule === true ? inner.default : exports.default;
  return [exports.createStorage, inner.createStorage, standard].find(isSource);
}

function isSource(value: unknown): boolean {
  return typeof value === 'function' || isStorage(value);
}

async function runExport(source: unknown, path: string): Promise<unknown> {
  if (typeof source !== 'function') return source;
  const create = (): unknown => (isStorageClass(source) ? new source() : (source as Factory)());
  try {
    return await withTimeout(create, new SystemClock(), CREATE_TIMEOUT_MS);
  } catch (error) {
    throw new Error(`${path} fails to create its storage: ${toErrorMessage(error)}`, { cause: error });
  }
}

function isStorageClass(source: unknown): source is StorageClass {
  const { prototype } = source as { prototype?: Partial<StateStorage> };
  return typeof prototype?.read === 'function' && typeof prototype.write === 'function';
}

function isStorage(value: unknown): value is StateStorage {
  const { kind, location, read, write } = (value ?? {}) as Partial<StateStorage>;
  return [kind, location].every((text) => typeof text === 'string') && [read, write].every(isFunction);
}

function isFunction(value: unknown): boolean {
  return typeof value === 'function';
}
