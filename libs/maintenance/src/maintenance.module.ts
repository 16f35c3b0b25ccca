import {
  Inject,
  Module,
  type DynamicModule,
  type MiddlewareConsumer,
  type NestModule,
  type OnApplicationBootstrap,
  type OnApplicationShutdown,
  type OnModuleDestroy,
  type Provider,
} from '@nestjs/common';
import { ConfigModule } from '@nestjs/config';
import { APP_GUARD, ApplicationConfig, DiscoveryModule, DiscoveryService, ModulesContainer } from '@nestjs/core';
import type { Subject } from 'rxjs';
import { createAdminMetadata } from './admin/admin.providers.js';
import { BackgroundPauser } from './jobs/background-pauser.js';
import { EarlierGuards } from './http/earlier-guards.js';
import { Announcer } from './http/announcer.js';
import { InstanceReporter } from './drain/instance-reporter.js';
import { HttpIntegration } from './http/http-integration.js';
import { MaintenanceGuard } from './http/maintenance.guard.js';
import { Responder } from './http/responder.js';
import { TemporaryWindows } from './leases/temporary-windows.js';
import { MaintenanceService } from './maintenance.service.js';
import type {
  MaintenanceModuleAsyncOptions,
  MaintenanceModuleExtras,
  MaintenanceModuleOptions,
} from './options/maintenance-options.js';
import { MaintenanceOptionsError } from './errors/maintenance-options.error.js';
import { maintenanceConfig } from './maintenance.config.js';
import { assertExtras } from './options/options-schema.js';
import { HandlerRulesReader } from './policy/handler-rules.js';
import { MaintenancePolicy } from './policy/maintenance-policy.js';
import { TransportAdapters } from './policy/transport-adapters.js';
import { MaintenanceAbortedError } from './errors/maintenance-aborted.error.js';
import { Clock } from './utils/clock.js';
import { withTimeout } from './utils/with-timeout.js';
import type { MaintenanceStatus } from './core/maintenance-status.js';
import { StateMonitor } from './core/state-monitor.js';
import { toStorageError } from './errors/maintenance-storage.error.js';
import { StateStorage } from './storage/state-storage.js';
import {
  STATUS_CHANGES,
  MODULE_EXTRAS,
  MODULE_OPTIONS_TOKEN,
  RESOLVED_OPTIONS,
  SHUTDOWN_CONTROLLER,
} from './maintenance.constants.js';
import { createAsyncOptionsProviders } from './options/async-options.providers.js';
import { BackgroundBootstrapModule } from './jobs/background.module.js';
import { maintenanceProviders } from './maintenance.providers.js';

/** How long a storage may take to close before the application shuts down without it, in milliseconds. */
const CLOSE_TIMEOUT_MS = 5_000;

/**
 * Puts the application under maintenance when somebody says so.
 *
 * @example
 * ```ts
 * @Module({ imports: [MaintenanceModule.forRoot()] })
 * export class AppModule {}
 * ```
 */
@Module({
  imports: [DiscoveryModule],
  // Those that forRoot() adds come later and replace these. Without them, Nest would name a class that no document knows.
  providers: [
    HttpIntegration,
    StateMonitor,
    StateStorage,
    EarlierGuards,
    TransportAdapters,
    BackgroundPauser,
    InstanceReporter,
    STATUS_CHANGES,
    TemporaryWindows,
    SHUTDOWN_CONTROLLER,
    Clock,
  ].map((provide) => ({ provide, useFactory: throwPlainImportError })),
})
export class MaintenanceModule implements NestModule, OnApplicationBootstrap, OnModuleDestroy, OnApplicationShutdown {
  /**
   * Registers the module, once, in the root module.
   *
   * @param options - options and extras; what is left out comes from the environment, then from the defaults
   * @throws {@link MaintenanceOptionsError} for options that can't be used, when the application starts
   */
  static forRoot(options?: MaintenanceModuleOptions & MaintenanceModuleExtras): DynamicModule {
    const { isGlobal, admin, mount, ...given } = options ?? {};
    return createDynamicModule({ isGlobal, admin, mount }, [{ provide: MODULE_OPTIONS_TOKEN, useValue: given }]);
  }

  /**
   * Registers the module with options that a factory or a class makes.
   *
   * @throws {@link MaintenanceOptionsError} for options that can't be used, when the application starts
   *
   * @example
   * ```ts
   * MaintenanceModule.forRootAsync({
   *   inject: [ConfigService],
   *   useFactory: (config: ConfigService) => ({ adminToken: config.getOrThrow('ADMIN_TOKEN') }),
   *   admin: true,
   * })
   * ```
   */
  static forRootAsync(options: MaintenanceModuleAsyncOptions): DynamicModule {
    const { imports, inject, useFactory, useClass, useExisting, ...extras } = options ?? {};
    return createDynamicModule(
      extras,
      createAsyncOptionsProviders({ inject, useFactory, useClass, useExisting }),
      imports,
    );
  }

  constructor(
    @Inject(ModulesContainer) modules: ModulesContainer,
    @Inject(HttpIntegration) private readonly httpIntegration: HttpIntegration,
    @Inject(StateMonitor) private readonly monitor: StateMonitor,
    @Inject(StateStorage) private readonly storage: StateStorage,
    @Inject(DiscoveryService) private readonly discovery: DiscoveryService,
    @Inject(ApplicationConfig) private readonly config: ApplicationConfig,
    @Inject(EarlierGuards) private readonly earlierGuards: EarlierGuards,
    @Inject(TransportAdapters) private readonly transports: TransportAdapters,
    @Inject(BackgroundPauser) private readonly background: BackgroundPauser,
    @Inject(InstanceReporter) private readonly reporter: InstanceReporter,
    @Inject(STATUS_CHANGES) private readonly changes: Subject<MaintenanceStatus>,
    @Inject(TemporaryWindows) private readonly temporaryWindows: TemporaryWindows,
    @Inject(SHUTDOWN_CONTROLLER) private readonly shutdownController: AbortController,
    @Inject(Clock) private readonly clock: Clock,
  ) {
    assertRegisteredOnce(modules);
    httpIntegration.attach();
    transports.attach();
  }

  /** Nest calls this when all controllers are known and no route is registered yet. */
  configure(_consumer: MiddlewareConsumer): void {
    this.httpIntegration.configure(this.discovery, this.config);
    this.transports.configure();
  }

  onApplicationBootstrap(): void {
    this.earlierGuards.wrapGuards(this.config);
    this.transports.start();
    this.background.start();
  }

  /** The first of what Nest calls when it shuts down: a request that waits for work would hold up all that follows. */
  async onModuleDestroy(): Promise<void> {
    this.shutdownController.abort(new MaintenanceAbortedError('The application shuts down.'));
    await this.temporaryWindows.waitForRunning();
  }

  async onApplicationShutdown(): Promise<void> {
    try {
      this.earlierGuards.unwrapGuards();
      this.background.close();
      await this.transports.close();
      await this.reporter.stop();
      await this.monitor.stop();
    } finally {
      this.changes.complete();
      await this.#closeStorage();
    }
  }

  async #closeStorage(): Promise<void> {
    try {
      await withTimeout(async () => this.storage.close?.(), this.clock, CLOSE_TIMEOUT_MS);
    } catch (error) {
      throw toStorageError(error, `${this.storage.location} could not be closed`);
    }
  }
}

function createDynamicModule(
  extras: MaintenanceModuleExtras,
  given: Provider[],
  imports?: DynamicModule['imports'],
): DynamicModule {
  assertExtras(extras);
  const admin = createAdminMetadata(extras.admin ?? false);
  const guard = extras.mount?.guard === false ? [] : [{ provide: APP_GUARD, useExisting: MaintenanceGuard }];
  return {
    module: MaintenanceModule,
    global: extras.isGlobal ?? true,
    imports: [
      ...(imports ?? []),
      ...admin.imports,
      ConfigModule.forFeature(maintenanceConfig),
      BackgroundBootstrapModule,
    ],
    controllers: admin.controllers,
    providers: [
      ...given,
      { provide: MODULE_EXTRAS, useValue: extras },
      ...maintenanceProviders,
      ...admin.providers,
      MaintenanceService,
      MaintenanceGuard,
      ...guard,
    ],
    // Beside the service: what the guard needs where an application mounts it by itself.
    exports: [
      MaintenanceService,
      StateStorage,
      StateMonitor,
      Clock,
      RESOLVED_OPTIONS,
      MaintenanceGuard,
      MaintenancePolicy,
      HandlerRulesReader,
      Responder,
      HttpIntegration,
      TransportAdapters,
      Announcer,
    ],
  };
}

function throwPlainImportError(): never {
  throw new MaintenanceOptionsError(
    'MaintenanceModule is imported without forRoot(). Write `imports: [MaintenanceModule.forRoot()]` in the root module; ' +
      'other modules need no import, MaintenanceService can be injected everywhere.',
  );
}

// A second registration would guard, answer and count everything twice.
function assertRegisteredOnce(modules: ModulesContainer): void {
  const registered = [...modules.values()].filter(({ metatype }) => metatype === MaintenanceModule);
  if (registered.length > 1) {
    throw new MaintenanceOptionsError(
      'MaintenanceModule is registered more than once. Keep one forRoot() or forRootAsync() in the root module and remove the ' +
        'others. MaintenanceService can be injected everywhere; with `isGlobal: false`, import the same object that forRoot() ' +
        'returned where you need it.',
    );
  }
}
