// An application without visitors that uses the switch, and says when its writes began and were done.
import { Module } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { MaintenanceService, StateStorage } from 'nestjs-maintenance';
import { modulesOf } from './modules.mjs';
import { moment } from './moment.mjs';

/** @param settings - as `modulesOf` takes them */
export async function openWriter(settings) {
  class WriterModule {}
  Module({ imports: modulesOf(settings) })(WriterModule);
  const app = await NestFactory.createApplicationContext(WriterModule, { logger: false, abortOnError: false });
  const maintenance = app.get(MaintenanceService);
  const storage = app.get(StateStorage);
  const write = storage.write.bind(storage);
  let begun;
  let done;
  storage.write = async (...given) => {
    begun = moment();
    const version = await write(...given);
    done = moment();
    return version;
  };
  return {
    /** Turns maintenance on or off. */
    turn: async (where, message) => {
      const { revision } = await (where === 'on' ? maintenance.enable({ message }) : maintenance.disable());
      return { revision, begun, done };
    },
    /** Milliseconds for one read of the storage itself, not of its cache. */
    roundTrip: async () => {
      const before = moment();
      await (storage.readFresh ? storage.readFresh() : storage.read());
      return moment() - before;
    },
    /** What all instances say of themselves. */
    reports: () => storage.reports(),
    close: () => app.close(),
  };
}
