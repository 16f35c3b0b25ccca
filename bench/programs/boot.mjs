// Starts the smallest application, reports time and memory, and exits: node boot.mjs <variant> [express|fastify]
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import 'reflect-metadata';
import { Controller, Get, Module } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';

const [, , variant, platform = 'express'] = process.argv;
const folder = mkdtempSync(join(tmpdir(), 'bench-boot-'));
process.on('exit', () => rmSync(folder, { recursive: true, force: true }));

const RECURRING_STATE = {
  format: 1,
  lineage: 'bench',
  revision: 1,
  history: [],
  windows: [
    {
      id: 'nightly',
      scope: '*',
      mode: 'full',
      startsAt: '2020-01-01T03:00:00.000Z',
      endsAt: null,
      createdAt: '2020-01-01T00:00:00.000Z',
      createdBy: 'bench',
      recurrence: { cron: '0 3 1 1 *', timeZone: 'UTC', duration: 60_000 },
    },
  ],
};

/** The options of each variant that has the module. */
const OPTIONS = {
  with: {},
  refusing: {},
  recurring: {},
  addresses: { exempt: { ips: ['10.0.0.0/8', '2001:db8::/32'] } },
  paths: { exempt: { urls: ['/docs/{*rest}'] } },
  template: { response: { template: join(folder, 'page.hbs') } },
};

class SmallController {
  get() {
    return 'ok';
  }
}
Get()(SmallController.prototype, 'get', Object.getOwnPropertyDescriptor(SmallController.prototype, 'get'));
Controller()(SmallController);

const adapter =
  platform === 'fastify'
    ? new (await import('@nestjs/platform-fastify')).FastifyAdapter()
    : new (await import('@nestjs/platform-express')).ExpressAdapter();
writeFileSync(join(folder, 'page.hbs'), '{{message}}');
if (variant === 'recurring') writeFileSync(join(folder, 'state.json'), JSON.stringify(RECURRING_STATE));
const imports = [];
// The packages of the application itself are loaded by now.
const before = { time: performance.now(), cpu: process.cpuUsage() };
if (variant === 'config') imports.push((await import('@nestjs/config')).ConfigModule.forRoot({ ignoreEnvFile: true }));
if (variant in OPTIONS) {
  const { MaintenanceModule } = await import('nestjs-maintenance');
  imports.push(MaintenanceModule.forRoot({ storage: `file:${join(folder, 'state.json')}`, ...OPTIONS[variant] }));
}
class AppModule {}
Module({ imports, controllers: [SmallController] })(AppModule);
const app = await NestFactory.create(AppModule, adapter, { logger: ['error', 'fatal'] });
await app.listen(0, '127.0.0.1');
const listening = performance.now();
const { user, system } = process.cpuUsage(before.cpu);

if (variant === 'refusing') {
  const { MaintenanceService } = await import('nestjs-maintenance');
  await app.get(MaintenanceService).enable();
  const answer = await fetch(await app.getUrl(), { headers: { accept: 'text/html' } });
  if (answer.status !== 503) throw new Error(`Expected the page with 503, got ${answer.status}`);
}
globalThis.gc?.();
globalThis.gc?.();
const { heapUsed, external } = process.memoryUsage();
const result = {
  time: listening - before.time,
  /** From the start of the process, with the packages of the application. */
  total: listening,
  cpu: (user + system) / 1000,
  memory: (heapUsed + external) / 2 ** 20,
  loaded: globalThis.listLoadedFiles?.() ?? [],
};
process.send(result, () => process.exit());
