// Starts an application that caches its state in Redis, and closes it: node cached-application.mjs <redis> <file>
// Another provider takes a while to shut down, and the state is read meanwhile.
import { setTimeout as pause } from 'node:timers/promises';
import { createKeyv } from '@keyv/redis';
import { CacheModule } from '@nestjs/cache-manager';
import { Module } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { MaintenanceModule } from 'nestjs-maintenance';

const [redis, file] = process.argv.slice(2);
const REFRESH_INTERVAL_MS = 1_000;

class SlowShutdown {
  async beforeApplicationShutdown() {
    await pause(1.5 * REFRESH_INTERVAL_MS);
  }
}

class AppModule {}
Module({
  imports: [
    CacheModule.register({ stores: [createKeyv(redis)], isGlobal: true }),
    MaintenanceModule.forRoot({ storage: `file:${file}`, cache: true, refreshInterval: REFRESH_INTERVAL_MS }),
  ],
  providers: [SlowShutdown],
})(AppModule);

const app = await NestFactory.createApplicationContext(AppModule, { logger: false });
await app.close();
process.stdout.write('closed');
