import {
  Inject,
  Module,
  type DynamicModule,
  type MiddlewareConsumer,
  type NestModule,
  type OnApplicationBootstrap,
  type OnApplicationShutdown,
  type OnModuleDestroy,
} from '@nestjs/common';
import { ApplicationConfig, DiscoveryModule, DiscoveryService } from '@nestjs/core';
import type { Subject } from 'rxjs';
import type { MaintenanceStatus } from './core/maintenance-status.js';
import { StateMonitor } from './core/state-monitor.js';
import { InstanceReporter } from './drain/instance-reporter.js';
import { MaintenanceAbortedError } from './errors/maintenance-aborted.error.js';
import { MaintenanceOptionsError } from './errors/maintenance-options.error.js';
import { toStorageError } from './errors/maintenance-storage.error.js';
import { EarlierGuards } from './http/earlier-guards.js';
import { HttpIntegration } from './http/http-integration.js';
import type { PublicStatusEndpoints } from './http/public-status/public-status-endpoints.js';
import { BackgroundPauser } from './jobs/background-pauser.js';
import { TemporaryWindows } from './leases/temporary-windows.js';
import { PUBLIC_STATUS, RESOLVED_OPTIONS, SHUTDOWN_CONTROLLER, STATUS_CHANGES } from './maintenance.constants.js';
import { ConfigurableModuleClass } from './maintenance.module-definition.js';
import { assertOneFactory, createOptions } from './options/async-options.js';
import type {
  MaintenanceModuleAsyncOptions,
  MaintenanceModuleExtras,
  MaintenanceModuleOptions,
} from './options/maintenance-options.js';
import { assertExtras } from './options/assert-options.js';
import type { ResolvedOptions } from './options/resolved-options.js';
import { TransportAdapters } from './policy/transport-adapters.js';
import { StateStorage } from './storage/state-storage.js';
import { addStorageUser, removeStorageUser } from './storage/storage-users.js';
import { Clock } from './utils/clock.js';
import { findProviders } from './utils/discovery.js';
import { withTimeout } from './utils/with-timeout.js';

/** How long the shutdown waits for the storage to close, in milliseconds. */
const CLOSE_TIMEOUT_MS = 5_000;

/**
 * Adds maintenance mode to a Nest application.
 *
 * @example
 * ```ts
 * @Module({ imports: [MaintenanceModule.forRoot()] })
 * export class AppModule {}
 * ```
 */
@Module({
  imports: [DiscoveryModule],
  // forRoot() adds providers that replace these. Without them, Nest would report an internal class as missing.
  providers: [
    HttpIntegration,
    StateMonitor,
    StateStorage,
    EarlierGuards,
    TransportAdapters,
    BackgroundPauser,
    InstanceReporter,
    STATUS_CHANGES,
    PUBLIC_STATUS,
    TemporaryWindows,
    SHUTDOWN_CONTROLLER,
    Clock,
    RESOLVED_OPTIONS,
  ].map((provide) => ({ provide, useFactory: throwPlainImportError })),
})
export class MaintenanceModule
  extends ConfigurableModuleClass
  implements NestModule, OnApplicationBootstrap, OnModuleDestroy, OnApplicationShutdown
{
  /**
   * Registers the module, once, in the root module.
   *
   * @param options - options and extras; what is missing comes from the environment, then from the defaults
   * @returns the module, for `imports`
   * @throws {@link MaintenanceOptionsError} for an extra that can't be used; for an option, when the application starts
   *
   * @example
   * ```ts
   * MaintenanceModule.forRoot({ adminToken: process.env.ADMIN_TOKEN, admin: true })
   * ```
   */
  static override forRoot(options?: MaintenanceModuleOptions & MaintenanceModuleExtras): DynamicModule {
    const { isGlobal, admin, mount, publicStatus } = options ?? {};
    assertExtras({ isGlobal, admin, mount, publicStatus });
    return super.forRoot(options ?? {});
  }

  /**
   * Registers the module with options that a factory function or a factory class creates.
   *
   * @param options - one of `useFactory`, `useClass` and `useExisting`, and the extras
   * @returns the module, for `imports`
   * @throws {@link MaintenanceOptionsError} for an extra that can't be used; for an option, when the application starts
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
  static override forRootAsync(options: MaintenanceModuleAsyncOptions): DynamicModule {
    const { imports, inject, useFactory, useClass, useExisting, ...extras } = options ?? {};
    assertExtras(extras);
    assertOneFactory([useFactory, useClass, useExisting]);
    const factory = useClass ?? useExisting;
    if (!factory) return super.forRootAsync({ ...extras, imports, inject, useFactory });
    // Nest's builder would call one method name only, and report a missing method as "is not a function".
    const definition = super.forRootAsync({ ...extras, imports, inject: [factory], useFactory: createOptions });
    return useClass ? { ...definition, providers: [...(definition.providers ?? []), useClass] } : definition;
  }

  constructor(
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
    @Inject(PUBLIC_STATUS) private readonly publicStatus: PublicStatusEndpoints | null,
    @Inject(TemporaryWindows) private readonly temporaryWindows: TemporaryWindows,
    @Inject(SHUTDOWN_CONTROLLER) private readonly shutdownController: AbortController,
    @Inject(Clock) private readonly clock: Clock,
    @Inject(RESOLVED_OPTIONS) private readonly options: ResolvedOptions,
  ) {
    super();
    assertRegisteredOnce(discovery);
    httpIntegration.attach();
    transports.attach();
  }

  /** Attaches to the adapter: Nest calls this when all controllers are known and no route is registered yet. */
  configure(_consumer: MiddlewareConsumer): void {
    this.httpIntegration.configure(this.discovery, this.config);
    this.publicStatus?.register(this.config);
    this.transports.configure();
  }

  onApplicationBootstrap(): void {
    addStorageUser(this.#sharedStorage, this);
    this.earlierGuards.wrapGuards(this.config);
    this.transports.start();
    this.background.start();
  }

  /** Aborts pending work in the first shutdown hook; otherwise it would block the hooks that follow. */
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

  /** The object of the options, which other applications in this process may use too. */
  get #sharedStorage(): object {
    const { storage } = this.options;
    return typeof storage === 'object' ? storage : this.storage;
  }

  async #closeStorage(): Promise<void> {
    if (!removeStorageUser(this.#sharedStorage, this)) return;
    try {
      await withTimeout(async () => this.storage.close?.(), this.clock, CLOSE_TIMEOUT_MS);
    } catch (error) {
      throw toStorageError(error, `${this.storage.location} could not be closed`);
    }
  }
}

function throwPlainImportError(): never {
  throw new MaintenanceOptionsError(
    'MaintenanceModule is imported without forRoot(). Write `imports: [MaintenanceModule.forRoot()]` in the root module; ' +
      'other modules need no import, MaintenanceService can be injected everywhere.',
  );
}

// A second registration would check and count every request twice.
function assertRegisteredOnce(discovery: DiscoveryService): void {
  // A module is a provider of its own class.
  if (findProviders(discovery, MaintenanceModule).length > 1) {
    throw new MaintenanceOptionsError(
      'MaintenanceModule is registered more than once. Keep one forRoot() or forRootAsync() in the root module and remove the ' +
        'others. MaintenanceService can be injected everywhere; with `isGlobal: false`, import the same object that forRoot() ' +
        'returned where you need it.',
    );
  }
}
