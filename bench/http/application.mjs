// The smallest application there is, in one of its variants: node application.mjs <adapter> <variant>
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Controller, Get, Module, ServiceUnavailableException } from '@nestjs/common';
import { APP_GUARD, NestFactory } from '@nestjs/core';
import { HTML_ACCEPT, JSON_ACCEPT } from './accept.mjs';
import { copyAnswers } from './node-alone.mjs';

const [adapter, variant] = process.argv.slice(2);
const folder = mkdtempSync(join(tmpdir(), 'bench-http-'));
process.on('exit', () => rmSync(folder, { recursive: true, force: true }));

class SmallController {
  get() {
    return 'ok';
  }
}
Get()(SmallController.prototype, 'get', Object.getOwnPropertyDescriptor(SmallController.prototype, 'get'));
Controller()(SmallController);

async function maintenance(options = {}) {
  const { MaintenanceModule } = await import('nestjs-maintenance');
  return { imports: [MaintenanceModule.forRoot({ storage: `file:${join(folder, 'state.json')}`, ...options })] };
}

function guardedBy(isClosed) {
  const canActivate = async () => {
    if (await isClosed()) throw new ServiceUnavailableException('Down for maintenance');
    return true;
  };
  return provided(canActivate);
}

function provided(canActivate) {
  return { providers: [{ provide: APP_GUARD, useValue: { canActivate } }] };
}

/** 10,000 blocks and 200 paths, none of which is the client's: each fourth path is fixed, has a parameter, a rest, or is a RegExp. */
function manyExemptions() {
  const ips = Array.from({ length: 10_000 }, (_, index) =>
    index % 2 === 0 ? `10.${(index >> 8) & 255}.${index & 255}.0/24` : `2001:db8:${index.toString(16)}::/48`,
  );
  const forms = [
    (n) => `/open-${n}/page`,
    (n) => `/open-${n}/:id`,
    (n) => `/open-${n}/{*rest}`,
    (n) => new RegExp(`/open-${n}/\\d+`),
  ];
  const urls = Array.from({ length: 200 }, (_, index) => forms[index % forms.length](index));
  return { exempt: { ips, urls } };
}

const VARIANTS = {
  without: async () => ({}),
  off: () => maintenance(),
  on: () => maintenance(),
  'on, Node alone': () => maintenance(),
  'on, exempting many': () => maintenance(manyExemptions()),
  'empty guard': async () => provided(() => true),
  'own guard, file': async () => {
    const file = join(folder, 'maintenance.json');
    writeFileSync(file, '{"on":false}');
    return guardedBy(async () => JSON.parse(await readFile(file, 'utf8')).on);
  },
  'own guard, Redis': async () => {
    const { createClient } = await import('redis');
    const client = await createClient({ url: process.env.BENCH_REDIS }).connect();
    return guardedBy(async () => (await client.get('maintenance')) === '1');
  },
  throttler: async () => {
    const { ThrottlerGuard, ThrottlerModule } = await import('@nestjs/throttler');
    return {
      imports: [ThrottlerModule.forRoot([{ ttl: 60_000, limit: Number.MAX_SAFE_INTEGER }])],
      providers: [{ provide: APP_GUARD, useClass: ThrottlerGuard }],
    };
  },
};

class AppModule {}
Module({ controllers: [SmallController], ...(await VARIANTS[variant]()) })(AppModule);

const server =
  adapter === 'fastify'
    ? new (await import('@nestjs/platform-fastify')).FastifyAdapter()
    : new (await import('@nestjs/platform-express')).ExpressAdapter();
const app = await NestFactory.create(AppModule, server, { logger: ['error', 'fatal'] });
await app.listen(0, '127.0.0.1');
if (variant.startsWith('on')) {
  const { MaintenanceService } = await import('nestjs-maintenance');
  await app.get(MaintenanceService).enable({ message: 'Back at four' });
}
let { port } = app.getHttpServer().address();
if (variant === 'on, Node alone') {
  const alone = await copyAnswers(await app.getUrl(), [JSON_ACCEPT, HTML_ACCEPT]);
  ({ port } = alone.address());
  await app.close();
}

// Each message asks how much time of the processor was used so far, in microseconds.
process.on('message', () => {
  const { user, system } = process.cpuUsage();
  process.send({ cpu: user + system });
});
process.on('disconnect', () => process.exit());
process.send({ port });
