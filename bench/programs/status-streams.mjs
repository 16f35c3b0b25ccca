// Serves the public status, and changes it on request: node status-streams.mjs <express|fastify>
import 'reflect-metadata';
import { Module } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { MaintenanceModule, MaintenanceService } from 'nestjs-maintenance';
import { MemoryStateStorage } from 'nestjs-maintenance/testing';
import { getMonotonicMs } from '../tools/monotonic-clock.mjs';

const [, , platform] = process.argv;
const adapter =
  platform === 'fastify'
    ? new (await import('@nestjs/platform-fastify')).FastifyAdapter()
    : new (await import('@nestjs/platform-express')).ExpressAdapter();

class AppModule {}
Module({ imports: [MaintenanceModule.forRoot({ storage: new MemoryStateStorage(), publicStatus: true })] })(AppModule);
const app = await NestFactory.create(AppModule, adapter, { logger: ['error', 'fatal'] });
await app.listen(0, '127.0.0.1');
const maintenance = app.get(MaintenanceService);

process.on('message', async (message) => {
  if (message === 'memory') {
    globalThis.gc();
    globalThis.gc();
    const { rss, heapUsed, external } = process.memoryUsage();
    return process.send({ rss: rss / 2 ** 20, heap: (heapUsed + external) / 2 ** 20 });
  }
  if (message === 'close') {
    const since = performance.now();
    await app.close();
    return process.send({ closed: performance.now() - since }, () => process.exit());
  }
  const since = performance.now();
  const at = getMonotonicMs();
  await (message === 'on' ? maintenance.enable({ message: 'Back at four' }) : maintenance.disable());
  process.send({ at, busy: performance.now() - since });
});
process.send({ port: app.getHttpServer().address().port });
