import { Module, type INestApplicationContext, type ModuleMetadata, type Type } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { ExpressAdapter } from '@nestjs/platform-express';
import { FastifyAdapter } from '@nestjs/platform-fastify';
import { MaintenanceModule, MaintenanceService, type Clock, type MaintenanceModuleOptions } from 'nestjs-maintenance';
import { MemoryStateStorage } from 'nestjs-maintenance/testing';
import { compileWithClock } from './application.js';

/** Includes an application context because `createApplicationContext()` never calls `configure()`. */
export const KINDS = ['express', 'fastify', 'context'] as const;
export type Kind = (typeof KINDS)[number];

export interface BackgroundSetup {
  options?: MaintenanceModuleOptions;
  isGlobal?: boolean;
  /** Before `MaintenanceModule`. */
  before?: NonNullable<ModuleMetadata['imports']>;
  /** After `MaintenanceModule`. */
  after?: NonNullable<ModuleMetadata['imports']>;
  providers?: Type[];
  /** Replaces the clock of the module. */
  clock?: Clock;
  logger?: { log: (line: unknown) => void; warn?: (line: unknown) => void };
}

/** An application with `background.pause`, started as `main.ts` would. */
export async function startBackground(kind: Kind, setup: BackgroundSetup) {
  const { options, isGlobal = true, before = [], after = [], providers = [] } = setup;
  // Avoids polling: if the application fails to start, the timer would never be cleared.
  const given = {
    storage: new MemoryStateStorage(),
    refreshInterval: 600_000,
    background: { pause: true },
    ...options,
  };

  @Module({ imports: [...before, MaintenanceModule.forRoot({ ...given, isGlobal }), ...after], providers })
  class AppModule {}

  const silent = { log: () => undefined, error: () => undefined, warn: () => undefined };
  const common = { logger: { ...silent, ...setup.logger }, abortOnError: false };
  const app = setup.clock
    ? await (await compileWithClock(AppModule, setup.clock)).init()
    : await createApp(kind, AppModule, common);
  return { app, maintenance: app.get(MaintenanceService, { strict: false }) };
}

async function createApp(kind: Kind, root: Type, options: object): Promise<INestApplicationContext> {
  if (kind === 'context') return NestFactory.createApplicationContext(root, options);
  const adapter = kind === 'express' ? new ExpressAdapter() : new FastifyAdapter();
  const app = await NestFactory.create(root, adapter as ExpressAdapter, options);
  await app.listen(0, '127.0.0.1');
  return app;
}

/** Returns a promise together with its resolve function. */
export function deferred<T = void>(): { promise: Promise<T>; resolve: (value: T) => void } {
  let resolve!: (value: T) => void;
  const promise = new Promise<T>((kept) => (resolve = kept));
  return { promise, resolve };
}
