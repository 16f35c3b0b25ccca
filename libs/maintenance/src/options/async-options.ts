import type { Provider } from '@nestjs/common';
import type { MaintenanceModuleAsyncOptions, MaintenanceModuleOptions } from './maintenance-options.js';
import { MaintenanceOptionsError } from '../errors/maintenance-options.error.js';
import { GIVEN_OPTIONS } from '../maintenance.constants.js';

type Sources = Pick<MaintenanceModuleAsyncOptions, 'inject' | 'useFactory' | 'useClass' | 'useExisting'>;

// `create` is what Nest's ConfigurableModuleBuilder calls the method unless told otherwise.
interface AnyFactory {
  createMaintenanceOptions?: () => MaintenanceModuleOptions | Promise<MaintenanceModuleOptions>;
  create?: () => MaintenanceModuleOptions | Promise<MaintenanceModuleOptions>;
}

/** @throws {@link MaintenanceOptionsError} unless exactly one source of options is named */
export function asyncOptions({ inject = [], useFactory, useClass, useExisting }: Sources): Provider[] {
  const sources = [useFactory, useClass, useExisting].filter((source) => source !== undefined && source !== null);
  if (sources.length !== 1 || typeof sources[0] !== 'function') {
    throw new MaintenanceOptionsError(
      'forRootAsync() needs exactly one of `useFactory`, a function, and `useClass` or `useExisting`, a class.',
    );
  }
  if (useFactory) return [{ provide: GIVEN_OPTIONS, inject, useFactory }];
  const factory = (useClass ?? useExisting)!;
  return [
    { provide: GIVEN_OPTIONS, inject: [factory], useFactory: (made: AnyFactory) => optionsMadeBy(made) },
    ...(useClass ? [useClass] : []),
  ];
}

function optionsMadeBy(factory: AnyFactory): MaintenanceModuleOptions | Promise<MaintenanceModuleOptions> {
  if (factory.createMaintenanceOptions) return factory.createMaintenanceOptions();
  if (factory.create) return factory.create();
  throw new MaintenanceOptionsError(
    `${factory.constructor.name} needs a method createMaintenanceOptions() that returns the options.`,
  );
}
