import { execFile } from 'node:child_process';
import { existsSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { folderWith, REPOSITORY, run, type Ended } from '../cli/program.js';

/** A storage of an application's own, in a file. */
const CLASS = `class OwnStorage {
  kind = 'own';
  location = 'own.json';
  async read() {
    if (!fs.existsSync('own.json')) return null;
    const text = fs.readFileSync('own.json', 'utf8');
    return { state: JSON.parse(text), version: text };
  }
  async write(next, ifVersion) {
    const found = await this.read();
    if ((found?.version ?? null) !== ifVersion) throw Object.assign(new Error('changed'), { code: 'conflict' });
    fs.writeFileSync('own.json', JSON.stringify(next));
    return JSON.stringify(next);
  }
}
`;
const ESM = `import fs from 'node:fs';\n${CLASS}`;
const CJS = `const fs = require('node:fs');\n${CLASS}`;

function command(folder: string, ...args: string[]): Promise<Ended> {
  return run(args, { cwd: folder });
}

describe('a storage from a module', () => {
  it.each([
    ['a class as default export', 'own.mjs', `${ESM}export default OwnStorage;`],
    ['a storage as default export', 'own.mjs', `${ESM}export default new OwnStorage();`],
    ['a function as default export', 'own.mjs', `${ESM}export default async () => new OwnStorage();`],
    ['createStorage()', 'own.mjs', `${ESM}export const createStorage = async () => new OwnStorage();`],
    ['top-level await', 'own.mjs', `${ESM}export default await Promise.resolve(OwnStorage);`],
    [
      'both, of which createStorage() counts',
      'own.mjs',
      `${ESM}export default class Other {}
      export function createStorage() { return new OwnStorage(); }`,
    ],
    ['module.exports in CommonJS', 'own.cjs', `${CJS}module.exports = OwnStorage;`],
    ['createStorage() in CommonJS', 'lib/own.cjs', `${CJS}exports.createStorage = async () => new OwnStorage();`],
    [
      'what TypeScript compiles to CommonJS',
      'own.js',
      `${CJS}Object.defineProperty(exports, '__esModule', { value: true });
      exports.default = OwnStorage;`,
    ],
  ])('is loaded by the command line: %s', async (_title, file, source) => {
    const folder = folderWith({ [file]: source });
    const storage = ['--storage', `module:./${file}`];
    expect(await command(folder, 'on', ...storage)).toMatchObject({ code: 0 });
    const status = await command(folder, 'status', ...storage);
    expect(status).toMatchObject({ code: 3, stderr: '' });
    expect(status.stdout).toContain('storage  own own.json');
    expect(existsSync(join(folder, 'own.json'))).toBe(true);
  });

  it('is found by the name of its package, and by a path in the environment', async () => {
    const folder = folderWith({
      'own.mjs': `${ESM}export default OwnStorage;`,
      'node_modules/own-storage/package.json': '{ "name": "own-storage", "main": "index.js" }',
      'node_modules/own-storage/index.js': `${CJS}module.exports = OwnStorage;`,
    });
    expect(await command(folder, 'on', '--storage', 'module:own-storage')).toMatchObject({ code: 0 });
    const env = { MAINTENANCE_STORAGE: './own.mjs' };
    expect(await run(['status'], { cwd: folder, env })).toMatchObject({ code: 3 });
    expect(await command(folder, 'status', '--storage', join(folder, 'own.mjs'))).toMatchObject({ code: 3 });
  });

  it.each([
    ['module:', 'has no path; expected a URL such as module:./my-storage.js'],
    ['module:./missing.js', 'the module "./missing.js" does not exist below'],
    ['./missing.js', 'Correct the path'],
    ['module:missing.js', 'Install the package, or use ./missing.js for a file'],
    ['module:./throws.mjs', 'throws.mjs fails while it is loaded: no database here'],
    ['module:./broken.mjs', 'broken.mjs fails while it is loaded:'],
    ['module:./fails.mjs', 'fails.mjs fails to create its storage: can not reach postgres://***@db'],
    ['module:./empty.mjs', 'empty.mjs exports no storage: export `createStorage()`, or a default export'],
    ['module:./other.mjs', 'other.mjs creates no storage: export `createStorage()`'],
  ])('says what is wrong with %s', async (url, sentence) => {
    const folder = folderWith({
      'throws.mjs': `throw new Error('no database here');`,
      'broken.mjs': 'export default {',
      'fails.mjs': `export const createStorage = () => Promise.reject(new Error('can not reach postgres://ann:secret@db'));`,
      'empty.mjs': 'export const answer = 42;',
      'other.mjs': 'export const createStorage = () => ({ kind: "own" });',
    });
    const ended = await command(folder, 'status', '--storage', url);
    expect(ended.code).toBe(2);
    expect(ended.stderr).toContain("error: --storage can't be used: ");
    expect(ended.stderr).toContain(sentence);
    expect(ended.stderr.trimEnd().split('\n')).toHaveLength(1);
  });

  it.each([
    [
      'an ES module',
      'main.mjs',
      `import { createRequire } from 'node:module'; import * as library from 'nestjs-maintenance';
      const require = createRequire(import.meta.url);`,
    ],
    ['CommonJS', 'main.cjs', `const library = require('nestjs-maintenance');`],
  ])('is loaded by an application in %s', async (_title, file, imports) => {
    const folder = folderWith({
      'own.mjs': `${ESM}export default OwnStorage;`,
      [file]: `${imports}
        require('reflect-metadata');
        const { NestFactory } = require('@nestjs/core');
        const root = { module: class AppModule {}, imports: [library.MaintenanceModule.forRoot()] };
        NestFactory.createApplicationContext(root, { logger: ['error', 'warn'] }).then(async (app) => {
          const maintenance = app.get(library.MaintenanceService);
          await maintenance.enable();
          console.log(JSON.stringify(maintenance.status()));
          await app.close();
        });`,
    });
    symlinkSync(join(REPOSITORY, 'node_modules'), join(folder, 'node_modules'));
    const env = { PATH: process.env.PATH, MAINTENANCE_STORAGE: 'module:./own.mjs' };
    const { stdout } = await promisify(execFile)(process.execPath, [file], { cwd: folder, env });
    expect(JSON.parse(stdout)).toMatchObject({ active: true, storage: { kind: 'own', location: 'own.json' } });
    expect(await command(folder, 'status', '--storage', 'module:./own.mjs')).toMatchObject({ code: 3 });
  });
});
