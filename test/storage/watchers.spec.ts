import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, readdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { until } from '../tools/waiting.js';

const ROOT = resolve(__dirname, '../..');
const NODEMON = createRequire(join(ROOT, 'package.json')).resolve('nodemon/bin/nodemon.js');
const TIMEOUT_MS = 60_000;

// Not the environment of the Jest worker, but that of a developer's machine.
const environment = { PATH: process.env.PATH, HOME: tmpdir(), NODE_ENV: 'development' };

const APPLICATION = `import 'reflect-metadata';
import { Module } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { MaintenanceModule } from 'nestjs-maintenance';
class AppModule {}
Module({ imports: [MaintenanceModule.forRoot()] })(AppModule);
const app = await NestFactory.create(AppModule, { logger: ['error'] });
await app.listen(0, '127.0.0.1');
console.log('listening');
`;

let folder: string;
let watcher: ChildProcess | undefined;
let output: string;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'watched-'));
  symlinkSync(join(ROOT, 'node_modules'), join(folder, 'node_modules'));
  writeFileSync(join(folder, 'package.json'), '{ "name": "shop", "type": "module" }');
  writeFileSync(join(folder, 'main.js'), APPLICATION);
  output = '';
});

afterEach(async () => {
  if (watcher && watcher.exitCode === null && watcher.signalCode === null) {
    const closed = once(watcher, 'close');
    watcher.kill('SIGTERM');
    await closed;
  }
  rmSync(folder, { recursive: true, force: true });
});

function startWatcher(...args: string[]): void {
  watcher = spawn(process.execPath, args, { cwd: folder, env: environment });
  for (const stream of [watcher.stdout!, watcher.stderr!]) {
    stream.setEncoding('utf8').on('data', (text: string) => (output += text));
  }
}

function count(pattern: RegExp): number {
  return [...output.matchAll(pattern)].length;
}

function listReports(): string[] {
  const reports = join(folder, '.maintenance-state.json.instances');
  return existsSync(reports) ? readdirSync(reports).filter((name) => !name.endsWith('.tmp')) : [];
}

it(
  'restarts under nodemon only for source changes, not for the instance reports of each start',
  async () => {
    startWatcher(NODEMON, '--verbose', 'main.js');
    for (let starts = 1; starts <= 3; starts++) {
      await until(`start ${starts} is listening`, () => count(/^listening$/gm) >= starts, TIMEOUT_MS);
      // Each start writes one report. Wait for it, so that nodemon sees it before the next source change.
      await until(`start ${starts} has reported`, () => listReports().length >= starts, TIMEOUT_MS);
      if (starts < 3) writeFileSync(join(folder, 'main.js'), `${APPLICATION}// ${starts}\n`);
    }
    const causes = output.match(/^.*triggering change.*$/gm) ?? [];
    expect(causes.length).toBeGreaterThanOrEqual(2);
    expect(causes.filter((line) => !line.includes('main.js'))).toEqual([]);
    expect(count(/^listening$/gm)).toBe(3);
  },
  4 * TIMEOUT_MS,
);
