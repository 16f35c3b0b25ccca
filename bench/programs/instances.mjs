// Runs several instances of an application: node instances.mjs <settings as JSON>, with an IPC channel.
import { Controller, Get, Module } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { ExpressAdapter } from '@nestjs/platform-express';
import { FastifyAdapter } from '@nestjs/platform-fastify';
import { MaintenanceService, StateStorage } from 'nestjs-maintenance';
import { createModules } from '../tools/create-modules.mjs';
import { getMonotonicMs } from '../tools/monotonic-clock.mjs';

// With `reportsChanges`, sends each change as soon as an instance applies it. Else replies to messages with the state
// of its instances and the times of their storage calls. The first instance turns maintenance on and off; with
// `refreshes` all instances then read the storage.
const { count, reportsChanges, refreshes, ...settings } = JSON.parse(process.argv[2]);

class ShopController {
  browse() {
    return { isOpen: true };
  }
}
Get('/')(ShopController.prototype, 'browse', Object.getOwnPropertyDescriptor(ShopController.prototype, 'browse'));
Controller()(ShopController);

const STORAGE_METHODS = ['read', 'write', 'report', 'reports'];
const calls = [];
const apps = [];
for (let index = 0; index < count; index++) apps.push(await start(index));
process.send({ ports: apps.map((app) => app.getHttpServer().address().port) });

process.on('message', async ({ turn }) => {
  const services = apps.map((app) => app.get(MaintenanceService));
  if (turn === 'on') await services[0].enable();
  if (turn === 'off') await services[0].disable();
  if (turn && refreshes) await Promise.all(services.map((maintenance) => maintenance.refresh()));
  process.send({ calls, active: services.map((maintenance) => maintenance.isActive()) });
});
process.on('disconnect', () => process.exit());

async function start(index) {
  class AppModule {}
  Module({ imports: createModules(settings), controllers: [ShopController] })(AppModule);
  const adapter = index % 2 === 0 ? new ExpressAdapter() : new FastifyAdapter();
  const app = await NestFactory.create(AppModule, adapter, { logger: false, abortOnError: false });
  calls.push(recordCalls(app.get(StateStorage)));
  if (reportsChanges) sendChanges(app.get(MaintenanceService), index);
  await app.listen(0, '127.0.0.1');
  return app;
}

/** Sends each change of an instance to the parent. */
function sendChanges(maintenance, index) {
  maintenance.changes.subscribe(({ revision }) => {
    const at = getMonotonicMs();
    process.send({ index, revision, isActive: maintenance.isActive(), at });
  });
}

/** Returns, by method, the times of all calls of a storage from now on. */
function recordCalls(storage) {
  const times = Object.fromEntries(STORAGE_METHODS.map((name) => [name, []]));
  for (const name of STORAGE_METHODS) {
    const call = storage[name].bind(storage);
    storage[name] = (...args) => {
      times[name].push(getMonotonicMs());
      return call(...args);
    };
  }
  return times;
}
