// Some instances of an application in one process: node instances.mjs <settings as JSON>, with a channel to whoever measures.
import { Controller, Get, Module } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { ExpressAdapter } from '@nestjs/platform-express';
import { FastifyAdapter } from '@nestjs/platform-fastify';
import { MaintenanceService, StateStorage } from 'nestjs-maintenance';
import { modulesOf } from '../tools/modules.mjs';
import { moment } from '../tools/moment.mjs';

// With `tellsChanges` it says what each instance sees as it does. Else it answers to messages: what its instances go by, and when they
// called their storages. The first of them turns maintenance on and off; with `refreshes` all of them then read the storage.
const { count, tellsChanges, refreshes, ...settings } = JSON.parse(process.argv[2]);

class ShopController {
  browse() {
    return { isOpen: true };
  }
}
Get('/')(ShopController.prototype, 'browse', Object.getOwnPropertyDescriptor(ShopController.prototype, 'browse'));
Controller()(ShopController);

const METHODS = ['read', 'write', 'report', 'reports'];
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
  Module({ imports: modulesOf(settings), controllers: [ShopController] })(AppModule);
  const adapter = index % 2 === 0 ? new ExpressAdapter() : new FastifyAdapter();
  const app = await NestFactory.create(AppModule, adapter, { logger: false, abortOnError: false });
  calls.push(noted(app.get(StateStorage)));
  if (tellsChanges) follow(app.get(MaintenanceService), index);
  await app.listen(0, '127.0.0.1');
  return app;
}

/** Says when something else decides, as soon as it does. */
function follow(maintenance, index) {
  maintenance.changes.subscribe(({ revision }) => {
    const at = moment();
    process.send({ index, revision, isActive: maintenance.isActive(), at });
  });
}

/** When each method of a storage is called from now on. */
function noted(storage) {
  const times = Object.fromEntries(METHODS.map((name) => [name, []]));
  for (const name of METHODS) {
    const call = storage[name].bind(storage);
    storage[name] = (...given) => {
      times[name].push(moment());
      return call(...given);
    };
  }
  return times;
}
