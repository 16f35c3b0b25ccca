import type { Provider } from '@nestjs/common';
import type { MaintenanceModuleAsyncOptions, MaintenanceModuleOptions } from './maintenance-options.js';
import { MaintenanceOptionsError } from '../errors/maintenance-options.error.js';
import { MODULE_OPTIONS_TOKEN } from '../maintenance.constants.js';

type OptionsSources = Pick<MaintenanceModuleAsyncOptions, 'inject' | 'useFactory' | 'useClass' | 'useExisting'>;

// `create` is what Nest's ConfigurableModuleBuilder calls the method unless told otherwise.
interface AnyFactory {
  createMaintenanceOptions?: () => MaintenanceModuleOptions | Promise<MaintenanceModuleOptions>;
  create?: () => MaintenanceModuleOptions | Promise<MaintenanceModuleOptions>;
}

/** @throws {@link MaintenanceOptionsError} unless exactly one source of options is named */
export function createAsyncOptionsProviders({
  inject = [],
  useFactory,
  useClass,
  useExisting,
}: OptionsSources): Provider[] {
  const sources = [useFactory, useClass, useExisting].filter((source) => source !== undefined && source !== null);
  if (sources.length !== 1 || typeof sources[0] !== 'function') {
    throw new MaintenanceOptionsError(
      'forRootAsync() needs exactly one of `useFactory`, a function, and `useClass` or `useExisting`, a class.',
    );
  }
  if (useFactory) return [{ provide: MODULE_OPTIONS_TOKEN, inject, useFactory }];
  const factory = (useClass ?? useExisting)!;
  return [
    { provide: MODULE_OPTIONS_TOKEN, inject: [factory], useFactory: (made: AnyFactory) => createOptions(made) },
    ...(useClass ? [useClass] : []),
  ];
}

function createOptions(factory: AnyFactory): MaintenanceModuleOptions | Promise<MaintenanceModuleOptions> {
  if (factory.createMaintenanceOptions) return factory.createMaintenanceOptions();
  if (factory.create) return factory.create();
  throw new MaintenanceOptionsError(
    `${factory.constructor.name} needs a method createMaintenanceOptions() that returns the options.`,
  );
}
