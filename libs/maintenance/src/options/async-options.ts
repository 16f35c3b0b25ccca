import { MaintenanceOptionsError } from '../errors/maintenance-options.error.js';
import type { MaintenanceModuleOptions } from './maintenance-options.js';

/** A factory class. Nest's ConfigurableModuleBuilder calls the method `create` unless told otherwise. */
interface OptionsFactory {
  createMaintenanceOptions?: () => MaintenanceModuleOptions | Promise<MaintenanceModuleOptions>;
  create?: () => MaintenanceModuleOptions | Promise<MaintenanceModuleOptions>;
}

/**
 * Asserts that `forRootAsync()` names one way to create the options.
 *
 * @param factories - `useFactory`, `useClass` and `useExisting`
 * @throws {@link MaintenanceOptionsError} unless exactly one of them is given, and is a function or a class
 */
export function assertOneFactory(factories: unknown[]): void {
  const [factory, ...others] = factories.filter((candidate) => candidate !== undefined && candidate !== null);
  if (typeof factory === 'function' && others.length === 0) return;
  throw new MaintenanceOptionsError(
    'forRootAsync() needs exactly one of `useFactory`, a function, and `useClass` or `useExisting`, a class.',
  );
}

/**
 * Creates the options by the method of a factory class.
 *
 * @param factory - an instance of the class
 * @returns the options
 * @throws {@link MaintenanceOptionsError} where the class has no such method
 */
export function createOptions(factory: OptionsFactory): MaintenanceModuleOptions | Promise<MaintenanceModuleOptions> {
  if (factory.createMaintenanceOptions) return factory.createMaintenanceOptions();
  if (factory.create) return factory.create();
  throw new MaintenanceOptionsError(
    `${factory.constructor.name} needs a method createMaintenanceOptions() that returns the options.`,
  );
}
