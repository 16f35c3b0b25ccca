import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, readdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import type { InstanceReport } from 'nestjs-maintenance';
import { REPOSITORY, run, type Ended } from '../cli/program.js';
import { until } from '../tools/waiting.js';
import { Instance } from './instance.js';

// Each test starts processes, which is slow on a busy machine.
jest.setTimeout(90_000);

const MAIN = `
import 'reflect-metadata';
import { Module } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { MaintenanceModule } from 'nestjs-maintenance';

class App {}
Module({ imports: [MaintenanceModule.forRoot()] })(App);
await (await NestFactory.create(App, { logger: ['warn', 'error'] })).listen(0, '127.0.0.1');
`;

let folder: string;
const children: ChildProcess[] = [];
const started: Instance[] = [];

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'applications-'));
});

afterEach(async () => {
  await Promise.all(started.splice(0).map((instance) => instance.stop()));
  for (const child of children.splice(0)) {
    const closed = once(child, 'close');
    if (child.kill('SIGKILL')) await closed;
  }
  rmSync(folder, { recursive: true, force: true });
});

function write(files: Record<string, string>): void {
  for (const [name, content] of Object.entries(files)) {
    mkdirSync(dirname(join(folder, name)), { recursive: true });
    writeFileSync(join(folder, name), content);
  }
}

/** Links the packages of the repository into the folder, next to which a test can add others. */
function linkPackages(): void {
  const modules = join(folder, 'node_modules');
  mkdirSync(modules, { recursive: true });
  for (const name of readdirSync(join(REPOSITORY, 'node_modules'))) {
    if (!name.startsWith('.')) symlinkSync(join(REPOSITORY, 'node_modules', name), join(modules, name));
  }
}

function startProgram(file: string, { cwd = folder, env = {} } = {}): void {
  const environment = { PATH: process.env.PATH, HOME: folder, MAINTENANCE_STORAGE: storage(), ...env };
  children.push(spawn(process.execPath, [join(folder, file)], { cwd, env: environment, stdio: 'ignore' }));
}

const storage = (): string => `file:${join(folder, 'state.json')}`;

const command = (...args: string[]): Promise<Ended> => run([...args, '--storage', storage()], { cwd: folder });

async function listInstances(count: number): Promise<InstanceReport[]> {
  let instances: InstanceReport[] = [];
  await until(
    `${count} instances have reported`,
    async () => {
      instances = JSON.parse((await command('instances', '--json')).stdout).instances;
      return instances.length === count;
    },
    25_000,
  );
  return instances;
}

async function startInstance(application: string): Promise<Instance> {
  const instance = await Instance.start({ options: { storage: storage(), application } });
  started.push(instance);
  return instance;
}

describe('the application name in an instance report', () => {
  beforeEach(linkPackages);

  it('is read from package.json together with the version', async () => {
    write({ 'package.json': '{ "name": "shop", "version": "4.12.0" }' });
    // A package.json with only a `type` has no name.
    write({ 'dist/package.json': '{ "type": "module" }', 'dist/main.js': MAIN });
    startProgram('dist/main.js');
    expect(await listInstances(1)).toEqual([
      expect.objectContaining({ application: 'shop', appVersion: '4.12.0', startFile: 'dist/main.js' }),
    ]);
    const listed = (await command('instances')).stdout;
    expect(listed).toMatch(/^APPLICATION +HOST +PID +ID +VERSION/);
    expect(listed).toMatch(/^shop .* 4\.12\.0 /m);
  });

  it('is the start file if no package.json has a name', async () => {
    write({ 'main.mjs': MAIN });
    startProgram('main.mjs');
    expect(await listInstances(1)).toEqual([expect.objectContaining({ application: 'main.mjs' })]);
  });

  it.each<[string, Record<string, string>, boolean]>([
    ['the working directory', {}, false],
    ['pm_exec_path of pm2', { pm_exec_path: 'apps/shop/main.mjs' }, true],
  ])(
    'is that of the application in %s, not of the tool that runs it',
    async (_where, { pm_exec_path }, isElsewhere) => {
      write({
        'apps/shop/package.json': '{ "name": "shop", "version": "4.12.0" }',
        'apps/shop/main.mjs': MAIN,
        'node_modules/runner/package.json': '{ "name": "runner", "version": "9.9.9", "type": "module" }',
        'node_modules/runner/run.js': `await import(${JSON.stringify(`file://${join(folder, 'apps/shop/main.mjs')}`)});`,
      });
      startProgram('node_modules/runner/run.js', {
        cwd: isElsewhere ? tmpdir() : join(folder, 'apps/shop'),
        env: pm_exec_path ? { pm_exec_path: join(folder, pm_exec_path) } : {},
      });
      expect(await listInstances(1)).toEqual([expect.objectContaining({ application: 'shop', appVersion: '4.12.0' })]);
    },
  );

  it('is read from an application that is installed as a package', async () => {
    write({
      'node_modules/shop/package.json':
        '{ "name": "shop", "version": "4.12.0", "type": "module", "dependencies": { "@nestjs/core": "*" } }',
      'node_modules/shop/main.js': MAIN,
    });
    startProgram('node_modules/shop/main.js');
    expect(await listInstances(1)).toEqual([expect.objectContaining({ application: 'shop', appVersion: '4.12.0' })]);
  });

  it('is overridden by MAINTENANCE_APPLICATION', async () => {
    write({ 'package.json': '{ "name": "company", "version": "4.12.0" }', 'main.mjs': MAIN });
    startProgram('main.mjs', { env: { MAINTENANCE_APPLICATION: 'billing' } });
    const [instance] = await listInstances(1);
    expect(instance).toMatchObject({ application: 'billing', appVersion: '4.12.0' });
    expect(instance).not.toHaveProperty('startFile');
  });
});

describe('two applications with one storage', () => {
  it('cause a warning in on, off, instances and the log of the second one', async () => {
    await startInstance('shop');
    const later = await startInstance('billing');
    await until('the warning is logged', () =>
      later.log.some(
        ({ level, text }) =>
          level === 'warn' && /^Instances of 2 applications report on .*: billing, shop\./.test(text),
      ),
    );
    const warning = 'warning: instances of 2 applications report to this storage: billing, shop.';
    const on = await command('on');
    expect([on.code, on.stdout]).toEqual([0, expect.stringContaining(warning)]);
    expect(on.stdout).toContain('2 instances of billing and shop apply it');
    expect((await command('instances')).stdout).toContain(warning);
    expect((await command('off')).stdout).toContain(warning);
  });

  it('are distinguished by their start files if they share a package.json', async () => {
    linkPackages();
    write({ 'package.json': '{ "name": "company", "type": "module" }' });
    write({ 'apps/shop/main.js': MAIN, 'apps/billing/main.js': MAIN });
    startProgram('apps/shop/main.js');
    startProgram('apps/billing/main.js');
    await listInstances(2);
    const note = 'note: these instances were started from 2 files: apps/billing/main.js, apps/shop/main.js.';
    expect((await command('on')).stdout).toContain(note);
    const listed = (await command('instances')).stdout;
    expect(listed).toMatch(/^company \(apps\/shop\/main\.js\) /m);
    expect(listed).toContain(note);
  });

  it('cause no warning if all instances have the same name', async () => {
    const [, later] = [await startInstance('shop'), await startInstance('shop')];
    const on = await command('on');
    expect(on.stdout).toContain('2 instances of shop apply it');
    expect(on.stdout).not.toMatch(/warning|note/);
    expect(later.log.filter(({ level }) => level === 'warn')).toEqual([]);
  });
});
