import { mkdtempSync, rmSync } from 'node:fs';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  Injectable,
  Module,
  type INestApplication,
  type ModuleMetadata,
  type Provider,
  type Type,
} from '@nestjs/common';
import { ExpressAdapter } from '@nestjs/platform-express';
import { FastifyAdapter } from '@nestjs/platform-fastify';
import { NestFactory, type AbstractHttpAdapter } from '@nestjs/core';
import { Test, type TestingModule } from '@nestjs/testing';
import {
  Clock,
  MaintenanceModule,
  MaintenanceService,
  type MaintenanceModuleExtras,
  type MaintenanceModuleOptions,
} from 'nestjs-maintenance';
import { MemoryStateStorage } from 'nestjs-maintenance/testing';
import { call, type Call, type Reply } from './client.js';

export type Adapter = 'express' | 'fastify';
export type Registration = 'forRoot' | 'useFactory' | 'useClass' | 'useExisting';

export const ADAPTERS: Adapter[] = ['express', 'fastify'];

/** Every adapter, once with forRoot() and once with an async factory. */
export const ADAPTER_REGISTRATIONS = ADAPTERS.flatMap((adapter) =>
  (['forRoot', 'useFactory'] as Registration[]).map(
    (registration) => [adapter, registration] as [Adapter, Registration],
  ),
);

export interface Setup {
  options?: MaintenanceModuleOptions;
  extras?: MaintenanceModuleExtras;
  registration?: Registration;
  imports?: NonNullable<ModuleMetadata['imports']>;
  controllers?: Type[];
  providers?: Provider[];
  /** Options of `NestFactory.create()`. */
  create?: Record<string, unknown>;
  /** Options of Fastify itself. */
  fastify?: Record<string, unknown>;
  /** Overrides the named adapter. */
  server?: AbstractHttpAdapter;
  /** Replaces the clock of the module. */
  clock?: Clock;
  /** Runs before `listen()`, as code in `main.ts` would. */
  main?: (app: INestApplication) => void | Promise<void>;
}

export interface Running {
  app: INestApplication;
  port: number;
  maintenance: MaintenanceService;
  stateFile: string;
  call: (path: string, options?: Call) => Promise<Reply>;
  close: () => Promise<void>;
}

/** Starts an application as `main.ts` would, on a real port, with a state file of its own. */
export async function start(adapter: Adapter, setup: Setup = {}): Promise<Running> {
  const folder = mkdtempSync(join(tmpdir(), 'maintenance-'));
  const stateFile = join(folder, 'state.json');
  // With a clock that a test moves, a read of a file seems to take too long.
  const storage = setup.clock ? new MemoryStateStorage() : `file:${stateFile}`;
  const options: MaintenanceModuleOptions = { storage, ...setup.options };
  const { imports = [], controllers = [], providers = [] } = setup;

  @Module({
    imports: [register(setup.registration ?? 'forRoot', options, setup.extras ?? {}), ...imports],
    controllers,
    providers,
  })
  class AppModule {}

  const server = setup.server ?? (adapter === 'express' ? new ExpressAdapter() : new FastifyAdapter(setup.fastify));
  const app = await create(AppModule, server as ExpressAdapter, setup);
  await setup.main?.(app);
  await app.listen(0, '127.0.0.1');
  const { port } = app.getHttpServer().address() as AddressInfo;
  return {
    app,
    port,
    maintenance: app.get(MaintenanceService, { strict: false }),
    stateFile,
    call: (path, request) => call(port, path, request),
    close: async () => {
      await app.close();
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

async function create(root: Type, server: ExpressAdapter, setup: Setup): Promise<INestApplication> {
  const options = { logger: false, abortOnError: false, ...setup.create } as const;
  if (!setup.clock) return NestFactory.create(root, server, options);
  return (await compileWithClock(root, setup.clock)).createNestApplication(server, options);
}

export function compileWithClock(root: Type, clock: Clock): Promise<TestingModule> {
  return Test.createTestingModule({ imports: [root] })
    .overrideProvider(Clock)
    .useValue(clock)
    .compile();
}

function register(
  registration: Registration,
  options: MaintenanceModuleOptions,
  extras: MaintenanceModuleExtras,
): NonNullable<ModuleMetadata['imports']>[number] {
  if (registration === 'forRoot') return MaintenanceModule.forRoot({ ...options, ...extras });
  if (registration === 'useFactory') {
    return MaintenanceModule.forRootAsync({ ...extras, useFactory: () => Promise.resolve(options) });
  }

  @Injectable()
  class OptionsFactory {
    createMaintenanceOptions(): MaintenanceModuleOptions {
      return options;
    }
  }
  if (registration === 'useClass') return MaintenanceModule.forRootAsync({ ...extras, useClass: OptionsFactory });

  @Module({ providers: [OptionsFactory], exports: [OptionsFactory] })
  class OptionsModule {}
  return MaintenanceModule.forRootAsync({ ...extras, imports: [OptionsModule], useExisting: OptionsFactory });
}
