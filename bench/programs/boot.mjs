// Starts the smallest application, reports time and memory, and exits: node boot.mjs <without|config|with|used>
import { createRequire } from 'node:module';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import 'reflect-metadata';
import { Controller, Get, Module } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { ExpressAdapter } from '@nestjs/platform-express';

const [, , variant] = process.argv;
/** Large packages that only some applications need. */
const OPTIONAL =
  /node_modules\/(@aws-sdk|@redis|redis|ioredis|handlebars|cache-manager|nest-commander|@nestjs\/microservices)\//;

class SmallController {
  get() {
    return 'ok';
  }
}
Get()(SmallController.prototype, 'get', Object.getOwnPropertyDescriptor(SmallController.prototype, 'get'));
Controller()(SmallController);

const folder = mkdtempSync(join(tmpdir(), 'bench-boot-'));
const imports = [];
// The packages of the application itself are loaded by now.
const before = performance.now();
if (variant === 'config') imports.push((await import('@nestjs/config')).ConfigModule.forRoot({ ignoreEnvFile: true }));
if (variant === 'with' || variant === 'used') {
  const { MaintenanceModule } = await import('nestjs-maintenance');
  imports.push(MaintenanceModule.forRoot({ storage: `file:${join(folder, 'state.json')}` }));
}
class AppModule {}
Module({ imports, controllers: [SmallController] })(AppModule);
const app = await NestFactory.create(AppModule, new ExpressAdapter(), { logger: ['error', 'fatal'] });
await app.listen(0, '127.0.0.1');
const time = performance.now() - before;

if (variant === 'used') {
  const { MaintenanceService } = await import('nestjs-maintenance');
  await app.get(MaintenanceService).enable();
  const answer = await fetch(await app.getUrl(), { headers: { accept: 'text/html' } });
  if (answer.status !== 503) throw new Error(`Expected the page with 503, got ${answer.status}`);
}
globalThis.gc();
globalThis.gc();
const { heapUsed, external } = process.memoryUsage();
const files = Object.keys(createRequire(import.meta.url).cache);
const loaded = [...new Set(files.map((file) => OPTIONAL.exec(file.replaceAll('\\', '/'))?.[1]).filter(Boolean))];
process.send({ time, memory: (heapUsed + external) / 2 ** 20, loaded }, () => process.exit());
process.on('exit', () => rmSync(folder, { recursive: true, force: true }));
