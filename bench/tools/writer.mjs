// An application that turns maintenance on and off, and times its writes.
import { Module } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { MaintenanceService, StateStorage } from 'nestjs-maintenance';
import { createModules } from './create-modules.mjs';
import { getMonotonicMs } from './monotonic-clock.mjs';

/**
 * Starts the application.
 *
 * @param settings - of `createModules`
 */
export async function openWriter(settings) {
  class WriterModule {}
  Module({ imports: createModules(settings) })(WriterModule);
  const app = await NestFactory.createApplicationContext(WriterModule, { logger: false, abortOnError: false });
  const maintenance = app.get(MaintenanceService);
  const storage = app.get(StateStorage);
  const write = storage.write.bind(storage);
  let writeStartedAt;
  let writtenAt;
  storage.write = async (...args) => {
    writeStartedAt = getMonotonicMs();
    const version = await write(...args);
    writtenAt = getMonotonicMs();
    return version;
  };
  return {
    /** Turns maintenance on or off; `where` is `on` or `off`. */
    turn: async (where, message) => {
      const { revision } = await (where === 'on' ? maintenance.enable({ message }) : maintenance.disable());
      return { revision, writeStartedAt, writtenAt };
    },
    /** Measures one read of the storage itself, without its cache, in milliseconds. */
    measureRoundTrip: async () => {
      const before = getMonotonicMs();
      await (storage.readFresh ? storage.readFresh() : storage.read());
      return getMonotonicMs() - before;
    },
    /** Returns the reports of all instances. */
    reports: () => storage.reports(),
    close: () => app.close(),
  };
}
