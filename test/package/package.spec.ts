import { execFile, spawn } from 'node:child_process';
import { mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { promisify } from 'node:util';

const run = promisify(execFile);
const ROOT = resolve(__dirname, '../..');

/** Returns a new application in plain JavaScript, with decorators called as functions. */
const createApplication = (imports: string): string => `${imports}
class CatsController {
  list() { return ['Tom']; }
}
Get()(CatsController.prototype, 'list', Object.getOwnPropertyDescriptor(CatsController.prototype, 'list'));
Controller('cats')(CatsController);
class AppModule {}
Module({ imports: [MaintenanceModule.forRoot()], controllers: [CatsController] })(AppModule);

void (async () => {
  const app = await NestFactory.create(AppModule, { logger: ['error', 'warn'] });
  await app.listen(0, '127.0.0.1');
  const url = 'http://127.0.0.1:' + app.getHttpServer().address().port + '/cats';
  const seen = [];
  const look = async (accept) => seen.push([(await fetch(url, { headers: { accept } })).status]);
  await look('*/*');
  await app.get(MaintenanceService).enable({ message: 'Back soon' });
  await look('*/*');
  const page = await fetch(url, { headers: { accept: 'text/html' } });
  seen.push([page.status, (await page.text()).includes('Back soon')]);
  await app.get(MaintenanceService).disable();
  await look('*/*');
  await app.close();
  const loaded = typeof require === 'function' ? Object.keys(require.cache) : [];
  const chunks = loaded.map((path) => /chunks.([a-z\\d-]+)\\.js$/.exec(path)?.[1]).filter(Boolean);
  console.log(JSON.stringify({ seen, chunks }));
})();
`;

const SOURCES = {
  esm: createApplication(`import 'reflect-metadata';
import { Controller, Get, Module } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { MaintenanceModule, MaintenanceService } from 'nestjs-maintenance';`),
  cjs: createApplication(`require('reflect-metadata');
const { Controller, Get, Module } = require('@nestjs/common');
const { NestFactory } = require('@nestjs/core');
const { MaintenanceModule, MaintenanceService } = require('nestjs-maintenance');`),
};

const TYPED = `import { Controller, Get, Module } from '@nestjs/common';
import { MaintenanceModule, MaintenanceService, SkipMaintenance, StateStorage, type MaintenanceStatus } from 'nestjs-maintenance';
import { MemoryStateStorage } from 'nestjs-maintenance/testing';

@SkipMaintenance()
@Controller()
class C {
  constructor(private readonly maintenance: MaintenanceService) {}
  @Get() status(): MaintenanceStatus { return this.maintenance.status(); }
}
const storage: StateStorage = new MemoryStateStorage();
@Module({ imports: [MaintenanceModule.forRoot({ storage, exempt: { user: (request) => request.user } })], controllers: [C] })
export class AppModule {}
`;

/** Chunks of the package that are loaded only with the packages they integrate. */
const OPTIONAL_CHUNKS = [
  'graphql-transport',
  'jobs',
  'microservice-transport',
  'public-status',
  'redis-state-storage',
  's3-state-storage',
  'websocket-transport',
];

const NEST = { 11: { nest: '^11.2.10', config: '^4.0.4' }, 12: { nest: '^12.5.1', config: '^12.0.1' } };

let tarball: string;
const folders: string[] = [];

afterAll(() => {
  for (const folder of folders) rmSync(folder, { recursive: true, force: true });
});

beforeAll(async () => {
  const folder = mkdtempSync(join(tmpdir(), 'pack-'));
  folders.push(folder);
  const { stdout } = await run('npm', ['pack', '-w', 'nestjs-maintenance', '--json', '--pack-destination', folder], {
    cwd: ROOT,
  });
  expect(stdout).toContain('nestjs-maintenance');
  tarball = join(folder, readdirSync(folder)[0] ?? '');
}, 120_000);

async function install(major: 11 | 12, type: 'module' | 'commonjs'): Promise<string> {
  const folder = mkdtempSync(join(tmpdir(), `fresh-${major}-`));
  folders.push(folder);
  const { nest, config } = NEST[major];
  const dependencies = {
    'nestjs-maintenance': `file:${tarball}`,
    '@nestjs/common': nest,
    '@nestjs/config': config,
    '@nestjs/core': nest,
    '@nestjs/platform-express': nest,
    'reflect-metadata': '^0.2.2',
    rxjs: '^7.8.2',
  };
  writeFileSync(
    join(folder, 'package.json'),
    JSON.stringify({ name: 'fresh', version: '1.0.0', private: true, type, dependencies }),
  );
  await run('npm', ['install', '--no-audit', '--no-fund', '--prefer-offline', '--loglevel=error'], { cwd: folder });
  return folder;
}

async function expectCompiles(folder: string, options: Record<string, string>): Promise<void> {
  writeFileSync(join(folder, 'typed.ts'), TYPED);
  const flags = Object.entries(options).flatMap(([name, value]) => [`--${name}`, value]);
  const tsc = join(ROOT, 'node_modules/typescript/bin/tsc');
  const common = [
    '--noEmit',
    '--strict',
    '--experimentalDecorators',
    '--emitDecoratorMetadata',
    '--target',
    'es2022',
    '--skipLibCheck',
  ];
  await run(
    process.execPath,
    [tsc, ...common, '--types', 'node', '--typeRoots', join(ROOT, 'node_modules/@types'), ...flags, 'typed.ts'],
    { cwd: folder },
  ).catch((error: { stdout: string }) => {
    throw new Error(error.stdout);
  });
}

it.each([
  ['ESM on Nest 12', 12, 'module', 'esm'],
  ['CommonJS on Nest 12', 12, 'commonjs', 'cjs'],
  ['CommonJS on Nest 11', 11, 'commonjs', 'cjs'],
] as const)(
  'the packed package works in a new application without optional peers (%s)',
  async (_name, major, type, source) => {
    const folder = await install(major, type);
    expect(readdirSync(join(folder, 'node_modules'))).not.toContain('nest-commander');
    writeFileSync(join(folder, 'main.js'), SOURCES[source]);
    const { stdout } = await run(process.execPath, ['main.js'], { cwd: folder });
    const { seen, chunks } = JSON.parse(stdout);
    expect(seen).toEqual([[200], [503], [503, true], [200]]);
    // Optional chunks are installed but not loaded. Loaded ES modules cannot be listed.
    const all = readdirSync(join(folder, 'node_modules/nestjs-maintenance/dist/cjs/chunks')).join();
    for (const part of OPTIONAL_CHUNKS) expect(all).toContain(part);
    if (source === 'cjs') expect(chunks).toEqual(expect.arrayContaining(['core', 'module']));
    expect(chunks.filter((chunk: string) => OPTIONAL_CHUNKS.includes(chunk))).toEqual([]);
    // The state file is next to the package.json of the application, as documented.
    expect(readdirSync(folder)).toContain('maintenance-state.json');

    await expectCompiles(folder, { module: 'nodenext', moduleResolution: 'nodenext' });
    if (type === 'commonjs' && major === 11) {
      await expectCompiles(folder, { module: 'commonjs', moduleResolution: 'node10', ignoreDeprecations: '6.0' });
    }

    const bin = spawn(
      process.execPath,
      [join(folder, 'node_modules/nestjs-maintenance/bin/nestjs-maintenance.cjs'), 'status'],
      { cwd: folder },
    );
    let stderr = '';
    bin.stderr.on('data', (chunk: Buffer) => (stderr += chunk.toString()));
    const code = await new Promise((done) => bin.on('close', done));
    expect([code, stderr]).toEqual([0, '']);
  },
  240_000,
);
