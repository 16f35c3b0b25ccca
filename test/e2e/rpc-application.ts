import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Module, type INestApplicationContext, type LoggerService, type Type } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { Transport, type MicroserviceOptions } from '@nestjs/microservices';
import { ExpressAdapter } from '@nestjs/platform-express';
import { FastifyAdapter } from '@nestjs/platform-fastify';
import {
  MaintenanceModule,
  MaintenanceService,
  type Clock,
  type MaintenanceModuleExtras,
  type MaintenanceModuleOptions,
} from 'nestjs-maintenance';
import { MemoryStateStorage } from 'nestjs-maintenance/testing';
import getPort from 'get-port';
import { TIMEOUT_MS } from '../tools/waiting.js';
import { compileWithClock, type Adapter } from './application.js';
import { Journal, PerRequest } from './rpc-handlers.js';

export const PROTO = join(__dirname, 'fixtures/shop.proto');

/** A stand-alone microservice, or a hybrid application with or without `inheritAppConfig`. */
export type Kind = 'stand-alone' | Adapter | `${Adapter} without inheritAppConfig`;
export const KINDS: Kind[] = [
  'stand-alone',
  'express',
  'fastify',
  'express without inheritAppConfig',
  'fastify without inheritAppConfig',
];

export interface RpcSetup {
  options?: MaintenanceModuleOptions;
  extras?: MaintenanceModuleExtras;
  controllers: Type[];
  /** Replaces the clock of the module. */
  clock?: Clock;
  /** Connects the microservice after `listen()`. */
  isLate?: boolean;
  /** Delays the initialization of the handlers until the microservice starts. */
  deferInitialization?: boolean;
}

export interface RpcRunning {
  app: INestApplicationContext;
  maintenance: MaintenanceService;
  journal: Journal;
  /** Warnings and errors that the application has logged, with their context. */
  complaints: string[];
  close: () => Promise<void>;
}

/** Starts the handlers as `main.ts` would, with a state file of their own. */
export async function startRpc(kind: Kind, server: MicroserviceOptions, setup: RpcSetup): Promise<RpcRunning> {
  const folder = mkdtempSync(join(tmpdir(), 'maintenance-'));
  const storage = setup.clock ? new MemoryStateStorage() : `file:${join(folder, 'state.json')}`;
  const options = { storage, ...setup.options };

  @Module({
    imports: [MaintenanceModule.forRoot({ ...options, ...setup.extras })],
    controllers: setup.controllers,
    providers: [{ provide: Journal, useValue: new Journal() }, PerRequest],
  })
  class AppModule {}

  const complaints: string[] = [];
  const logger = createLogger(complaints);
  const app =
    kind === 'stand-alone'
      ? await startAlone(AppModule, server, logger, setup)
      : await startHybrid(AppModule, server, logger, kind, setup);
  return {
    app,
    maintenance: app.get(MaintenanceService, { strict: false }),
    journal: app.get(Journal, { strict: false }),
    complaints,
    close: async () => {
      await app.close();
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

async function startAlone(
  module: Type,
  server: MicroserviceOptions,
  logger: LoggerService,
  { clock }: RpcSetup,
): Promise<INestApplicationContext> {
  const options = { ...server, logger, abortOnError: false };
  const app = clock
    ? (await compileWithClock(module, clock)).createNestMicroservice<MicroserviceOptions>(options)
    : await NestFactory.createMicroservice<MicroserviceOptions>(module, options);
  await app.listen();
  return app;
}

async function startHybrid(
  module: Type,
  server: MicroserviceOptions,
  logger: LoggerService,
  kind: Exclude<Kind, 'stand-alone'>,
  { isLate = false, deferInitialization = false, clock }: RpcSetup,
): Promise<INestApplicationContext> {
  const http = kind.startsWith('express') ? new ExpressAdapter() : new FastifyAdapter();
  const options = { logger, abortOnError: false };
  const app = clock
    ? (await compileWithClock(module, clock)).createNestApplication(http as ExpressAdapter, options)
    : await NestFactory.create(module, http as ExpressAdapter, options);
  if (isLate) await app.listen(0, '127.0.0.1');
  app.connectMicroservice<MicroserviceOptions>(server, {
    inheritAppConfig: !kind.endsWith('without inheritAppConfig'),
    deferInitialization,
  });
  await app.startAllMicroservices();
  if (!isLate) await app.listen(0, '127.0.0.1');
  return app;
}

export async function tcp(): Promise<MicroserviceOptions & { transport: Transport.TCP }> {
  return { transport: Transport.TCP, options: { host: '127.0.0.1', port: await getPort() } };
}

/** Retries until the check no longer throws, for `TIMEOUT_MS` at most. */
export async function eventually(check: () => void): Promise<void> {
  for (const end = Date.now() + TIMEOUT_MS; ;) {
    try {
      return check();
    } catch (error) {
      if (Date.now() > end) throw error;
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
  }
}

function createLogger(lines: string[]): LoggerService {
  const add = (...parts: unknown[]): void => void lines.push(parts.map(toText).join(' '));
  const ignore = (): void => undefined;
  return { log: ignore, debug: ignore, verbose: ignore, warn: add, error: add, fatal: add };
}

function toText(part: unknown): string {
  return part instanceof Error ? String(part) : typeof part === 'string' ? part : JSON.stringify(part);
}
